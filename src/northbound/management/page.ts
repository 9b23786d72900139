import { z } from "@hono/zod-openapi";

const MAX_PAGE_SIZE = 1_000;
const MAX_PAGE = 1_000_000;

/** Query parameters of every list. Pages count from 1 here; the services below count from 0. */
export const pageQuery = {
  page: z.coerce.number().int().min(1).max(MAX_PAGE).default(1).openapi({ description: "from 1" }),
  pageSize: z.coerce.number().int().min(1).max(MAX_PAGE_SIZE).default(50),
};
export const PageQuery = z.strictObject(pageQuery);
export type PageQuery = z.infer<typeof PageQuery>;

/** `total` counts all that match, not only this page. */
export const listOf = <T extends z.ZodType>(name: string, item: T) =>
  z.object({ items: z.array(item), total: z.int() }).openapi(name);

export const fromZero = ({ page }: PageQuery) => page - 1;

/** For what comes from below as a whole. */
export const pageOf = <T>(all: readonly T[], { page, pageSize }: PageQuery) => ({
  items: all.slice((page - 1) * pageSize, page * pageSize),
  total: all.length,
});

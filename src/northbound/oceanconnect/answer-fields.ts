import { z } from "zod";

/** Parts of the schemas of answers. They describe what the routes make; nothing is parsed with them. */
export const time = () =>
  z
    .string()
    .regex(/^\d{8}T\d{6}Z$/)
    .meta({ description: "UTC" });
export const count = () => z.number().int().min(0);
export const known = <T extends z.ZodType>(schema: T) => schema.nullable();
export const list = <T extends z.ZodType>(schema: T) => z.array(schema).readonly();
/** What a product model, an application or a device has put there. */
export const free = () => z.record(z.string(), z.unknown()).readonly();
export const yesOrNo = () => z.enum(["TRUE", "FALSE"]);

/** The paging that stands beside a list, in the words of most endpoints. */
export const paged = { totalCount: count(), pageNo: count(), pageSize: count() };
/** And of 1.9. */
export const pagination = z.object({ pageNo: count(), pageSize: count(), totalSize: count() });

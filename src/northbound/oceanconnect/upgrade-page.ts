import { DomainError } from "../../platform/domain-error";
import { integer, MAX_INTEGER, optional } from "./fields";

const ANY = 1e15 - 1;
/** The page of a list of 1.12, for its query. What is no number does not fit: 120015. */
export const page = {
  pageNo: optional(integer(-ANY, ANY)).default(0),
  pageSize: optional(integer(-ANY, ANY)).default(10),
};

type Page = { readonly pageNo: number; readonly pageSize: number };
/** A number out of range has a row of its own, 123029. Throws PAGE_BEYOND_LIMIT. */
export function pageOf({ pageNo, pageSize }: Page): Page {
  within("pageNo", pageNo, 0, MAX_INTEGER);
  within("pageSize", pageSize, 1, 100);
  return { pageNo, pageSize };
}

function within(field: string, value: number, min: number, max: number): void {
  if (value < min || value > max)
    throw new DomainError("PAGE_BEYOND_LIMIT", { issues: [{ field, reason: `is not from ${min} to ${max}` }] });
}

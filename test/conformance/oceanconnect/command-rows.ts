import type { Rows } from "./caller-rows";
import type { Row } from "./chapter";
import type { CommandWorld } from "./command-world";

/** 1.9 */
export const cannot = (reason: string, ...lines: Row<CommandWorld>["line"][]): Row<CommandWorld>[] =>
  lines.map((line) => ({ line, cannot: reason }));

export const NO_SUCH_PARTS = cannot(
  "There are no such parts here; a stored row that cannot be read is a fault like any other, 100001.",
  ...(["500 100023", "500 101016", "500 101017"] as const),
);
export const COPIED = "The row is copied from 1.9.1: nothing is sent here, and what it is about is not looked at.";
export const NOTHING_SENT = "Only what goes to devices can be congested, and nothing does here.";
export const OTHER_STATUS = "The row is listed with 200 and 403, and nothing says which is when; it is 403 here.";

export const COMMANDS_USUAL: Rows = {
  ...{ "200 100203": "namesUnknown", "403 1010009": "throttled", "403 1010005": "wrongToken" },
  "500 100220": "noAppKey",
};

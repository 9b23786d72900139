import type { Call, Callers } from "./callers";
import type { Row, Seen } from "./chapter";

/** What is wrong with who calls, or with the application that is named. */
export type Who =
  | "noAppKey"
  | "wrongToken"
  | "throttled"
  | "deleted"
  | "namesUnknown"
  | "namesStranger"
  | "namesReadable";
type Line = `${number} ${string}`;
export type Rows = { readonly [line: Line]: Who };

/**
 * Rows of a call that would succeed, or come much further, if it were not for `Who`. `nameIn`: how the endpoint is told
 * of another application.
 */
export function callerRows<W extends Callers>(
  call: (world: W) => Call,
  rows: Rows,
  nameIn: (call: Call, appId: string) => Call = inQuery("appId"),
): Row<W>[] {
  const provoke = (world: W, who: Who): Promise<Seen> => {
    const { send, signed, ask, caller } = world;
    const good = call(world);
    switch (who) {
      case "noAppKey":
        return send(good, { authorization: `Bearer ${caller.token}` });
      case "wrongToken":
        return ask(good, { ...caller, token: `${caller.token}x` });
      case "throttled":
        return ask(good, world.throttled);
      case "deleted":
        return send(good, signed(world.gone));
      case "namesUnknown":
        return ask(nameIn(good, "nobody"));
      case "namesStranger":
        return ask(nameIn(good, world.stranger.appId));
      case "namesReadable":
        return ask(nameIn(good, world.readable.appId));
      default:
        return who satisfies never;
    }
  };
  return Object.entries(rows).map(([line, who]) => ({
    line: line as Line,
    provoke: (world) => provoke(world, who),
  }));
}

export const inQuery =
  (parameter: string) =>
  (call: Call, appId: string): Call => ({
    ...call,
    path: `${call.path}${call.path.includes("?") ? "&" : "?"}${parameter}=${appId}`,
  });
export const inBody =
  (field: string) =>
  (call: Call, appId: string): Call => ({ ...call, body: { ...(call.body as object), [field]: appId } });

/** 1.5 and 1.6, where the document has them. */
export const USUAL: Rows = {
  "403 100217": "namesStranger",
  "403 1010009": "throttled",
  "403 1010005": "wrongToken",
};
/** 100203 is listed twice: who is named, and who calls. */
export const NAMED_403: Rows = { "403 100203": "namesUnknown", "500 100203": "deleted" };
export const NAMED_500: Rows = { "403 100203": "deleted", "500 100203": "namesUnknown" };
export const LORA: Rows = {
  "403 100217": "namesStranger",
  "404 100203": "namesUnknown",
  "500 100220": "noAppKey",
};

export const NO_LICENCES = "There are no licences here that could be missing or used up.";
export const ONE_FAULT =
  "The table has two codes for one thing, a fault inside the server; it is told as 50252, as at all endpoints of this family.";

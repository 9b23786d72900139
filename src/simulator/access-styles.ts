/** The two ways of nb-iot.md §1 to be a device of the platform. */
import { CODES, CONTENT_FORMATS, type CoapOption, option } from "../wire/coap";
import type { NodeRequest, NodeResponse } from "./coap-node";
import { OBJECT_LINKS } from "./lwm2m-objects";

export type StyleName = "lwm2m" | "tup";

type Style = {
  readonly registerPath: string;
  registerQuery(nodeId: string, settings: { readonly queueMode: boolean; readonly lifetimeSeconds: number }): string;
  readonly registerOptions: readonly CoapOption[];
  readonly links: Uint8Array;
  readonly registeredCode: number;
  /** There is a registration that can be updated; else the device registers anew. */
  readonly canUpdate: boolean;
  isUplink(path: readonly string[]): boolean;
  observedResponse(sequence: number): NodeResponse;
  readonly plainRead: NodeResponse;
  readonly secondObserveUnbinds: boolean;
  readonly reportOptions: readonly CoapOption[];
  /** "ignored": not even answered. */
  commandOf(request: NodeRequest): boolean | "ignored";
  readonly hasObjects: boolean;
};

const isPath = (path: readonly string[], ...wanted: string[]) =>
  path.length === wanted.length && wanted.every((segment, at) => path[at] === segment);

const lwm2m: Style = {
  registerPath: "rd",
  registerQuery: (nodeId, { queueMode, lifetimeSeconds }) =>
    `lwm2m=1.0&ep=${nodeId}&b=${queueMode ? "UQ" : "U"}&lt=${lifetimeSeconds}`,
  registerOptions: [option("contentFormat", CONTENT_FORMATS.linkFormat)],
  links: OBJECT_LINKS,
  registeredCode: CODES.created,
  canUpdate: true,
  isUplink: (path) => isPath(path, "19", "0", "0"),
  observedResponse: (sequence) => ({
    code: CODES.content,
    options: [option("observe", sequence)],
    contentFormat: CONTENT_FORMATS.opaque,
    payload: Uint8Array.of(0),
  }),
  plainRead: { code: CODES.content, contentFormat: CONTENT_FORMATS.opaque, payload: Uint8Array.of(0) },
  secondObserveUnbinds: false,
  reportOptions: [option("contentFormat", CONTENT_FORMATS.opaque)],
  commandOf: () => false, // writes to /19/1/0 are the objects'
  hasObjects: true,
};

/** Observe without a number in the answer, no content format in reports, and a second observation ends the first. */
const tup: Style = {
  registerPath: "t/r",
  registerQuery: (nodeId) => `ep=${nodeId}`,
  registerOptions: [],
  links: new Uint8Array(0),
  registeredCode: CODES.changed,
  canUpdate: false,
  isUplink: ([first, second, ...rest]) => first === "t" && second === "d" && rest.length === 0,
  observedResponse: () => ({ code: CODES.changed, contentFormat: 0xffff }),
  plainRead: { code: CODES.changed },
  secondObserveUnbinds: true,
  reportOptions: [],
  commandOf: ({ path, code, confirmable }) => {
    if (!isPath(path, "t", "d") || code !== CODES.post) return false;
    return confirmable ? true : "ignored"; // the client of LiteOS does not answer a NON
  },
  hasObjects: false,
};

export const accessStyles: Readonly<Record<StyleName, Style>> = { lwm2m, tup };

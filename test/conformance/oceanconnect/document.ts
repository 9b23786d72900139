import document from "./document.json" with { type: "json" };

/** One line of an endpoint's table of errors. Within an endpoint no two lines are alike. */
export type ErrorLine = { readonly status: number; readonly code: string; readonly desc: string };
export type EndpointOfDocument = {
  readonly section: string;
  readonly method: string;
  readonly path: string;
  readonly errors: readonly ErrorLine[];
};
/** `fields`: of the message itself; null type: 1.8.12, whose message carries none. */
export type NotificationOfDocument = {
  readonly section: string;
  readonly type: string | null;
  readonly fields: readonly string[];
};

/** What the vendor's reference (v12) lists: the facts that the conformance tables are counted against. */
export const ENDPOINTS: readonly EndpointOfDocument[] = document.endpoints;
export const NOTIFICATIONS: readonly NotificationOfDocument[] = document.notifications;

export const lineKey = ({ status, code, desc }: ErrorLine): string => `${status} ${code} ${desc}`;

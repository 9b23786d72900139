/**
 * What the HTTP front knows of a request and hands to the dialect that answers it: Hono's `c.env`.
 * One object per request.
 */
export type RequestEnv = {
  /** Also in the answer (`X-Request-Id`), the access log and every log line about this request. */
  readonly requestId: string;
  /** Address of the client, undefined when the connection is gone already. */
  readonly peer: string | undefined;
  /** Set by the dialect once it knows who calls: an application or an operator. For the access log. */
  caller: string | undefined;
  /**
   * Instead of the listener's: seconds from now to the end of the answer, at most 255; 0: none, for bodies that may take
   * any time. Who lifts it sees to it that a silent peer does not stay for ever. Not there without a real connection.
   */
  readonly setTimeLimit?: ((seconds: number) => void) | undefined;
  /** For what is our fault: logged with its stack; the caller gets a generic answer. */
  reportFault(error: unknown): void;
};

/** Hono's type parameter of an app behind the front. */
export type FrontEnv = { Bindings: RequestEnv };

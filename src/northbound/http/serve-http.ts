import type { Clock } from "../../platform/clock";
import { parseListenAddress, renderListenAddress } from "../../platform/listen-address";

/** What the HTTP server of the runtime can be told. Everything else is decided by `httpFront`. */
export type ServeSettings = {
  /**
   * Longest time from the first byte of a request to the end of its answer, and of a silent kept-alive connection;
   * at most 255 s. Half a request head is given up by the runtime itself, after about 10 s.
   */
  readonly requestTimeoutMs: number;
  /** A stop waits so long for requests under way, then cuts them. */
  readonly stopGraceMs: number;
};
export const SERVE_DEFAULTS: ServeSettings = { requestTimeoutMs: 120_000, stopGraceMs: 5_000 };

export type HttpServer = {
  /** The real one, as `HOST:PORT`; `[::1]:8080` for IPv6. */
  readonly address: string;
  readonly port: number;
  readonly url: string;
  /** Stops accepting, lets requests under way finish, closes idle connections. */
  stop(): Promise<void>;
};

export type ServeOptions = {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string;
  /** PEM texts. */
  readonly tls?: { readonly cert: string; readonly key: string };
  readonly fetch: (
    request: Request,
    peer: string | undefined,
    setTimeLimit: (seconds: number) => void,
  ) => Response | Promise<Response>;
  readonly clock: Clock;
  readonly settings?: ServeSettings;
};

/** The only call of `Bun.serve`. Throws an Error that names the address when it cannot be opened. */
export function serveHttp({ listen, tls, fetch, clock, settings = SERVE_DEFAULTS }: ServeOptions): HttpServer {
  const { hostname, port } = parseListenAddress(listen);
  let server: Bun.Server<undefined>;
  try {
    server = Bun.serve({
      hostname,
      port,
      ...(tls ? { tls: { cert: tls.cert, key: tls.key } } : {}),
      development: false, // no error pages with source text
      reusePort: false, // without it `development: false` lets two processes share a port in silence
      idleTimeout: Math.min(255, Math.ceil(settings.requestTimeoutMs / 1_000)),
      maxRequestBodySize: Number.MAX_SAFE_INTEGER, // the front counts, and refuses in the dialect's words
      fetch: (request, own) =>
        fetch(withWholeUrl(request, own), own.requestIP(request)?.address, (seconds) => own.timeout(request, seconds)),
    });
  } catch (cause) {
    throw new Error(`cannot listen on ${listen}: ${reasonOf(cause)}`, { cause });
  }
  const address = renderListenAddress({ hostname: server.hostname ?? hostname, port: server.port ?? port });
  return {
    address,
    port: server.port ?? port,
    url: `${tls ? "https" : "http"}://${address}`,
    async stop() {
      const cut = clock.after(settings.stopGraceMs, () => void server.stop(true));
      await server.stop();
      cut();
    },
  };
}

/** Without a proper Host (HTTP/1.0 needs none) the runtime gives only the target, which is no URL for anybody behind. */
function withWholeUrl(request: Request, { url }: Bun.Server<undefined>): Request {
  if (request.url.startsWith("http")) return request;
  return new Request(url.origin + (request.url.startsWith("/") ? request.url : "/"), request);
}

function reasonOf(cause: unknown): string {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  switch (code) {
    case "EADDRINUSE": // the runtime says so too when it cannot resolve the name
      return "the port is taken, or the host name is unknown";
    case "EADDRNOTAVAIL":
      return "this machine has no such address";
    case "EACCES":
      return "this port needs more rights";
    default:
      return cause instanceof Error ? cause.message : String(cause);
  }
}

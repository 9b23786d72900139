import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Ids } from "../../platform/ids";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import { limitBody } from "./limit-body";
import type { RequestEnv } from "./request-env";

export type FrontSettings = {
  /** Largest body of any request, uploads included; dialects set smaller limits for their JSON. */
  readonly maxBodyBytes: number;
};
export const FRONT_DEFAULTS: FrontSettings = { maxBodyBytes: 32 * 1024 * 1024 };

/** One dialect: the paths it owns, and how it answers them. It also answers its unknown paths and wrong methods. */
export type Mount = {
  /** A label in metrics and log. */
  readonly name: string;
  /** First segments of its paths: `manage` owns `/manage` and everything below. */
  readonly prefixes: readonly string[];
  readonly fetch: (request: Request, env: RequestEnv) => Response | Promise<Response>;
  /** Largest body of a request whose body may be larger than that of others, or undefined. */
  readonly maxBodyBytes?: (method: string, path: string) => number | undefined;
  /** Its words for an error outside of its routes: a body that is too large, a fault that it did not catch. */
  readonly fail: (error: Error, env: RequestEnv, path: string) => Response;
};

type Parts = {
  readonly mounts: readonly Mount[];
  /** Answers every path that no mount owns. */
  readonly otherwise: Mount;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly settings?: FrontSettings;
};
export type HttpFront = (
  request: Request,
  peer?: string,
  setTimeLimit?: RequestEnv["setTimeLimit"],
) => Promise<Response>;

/**
 * Everything that http and https listeners serve: gives each request its id, bounds its body, hands it to the dialect
 * that owns its path, counts and logs it. Never rejects.
 */
export function httpFront({
  mounts,
  otherwise,
  log,
  metrics,
  clock,
  ids,
  settings = FRONT_DEFAULTS,
}: Parts): HttpFront {
  const owners = new Map<string, Mount>();
  for (const mount of mounts) for (const prefix of mount.prefixes) owners.set(prefix, mount);
  const count = requestMetrics(metrics);

  return async (raw, peer, setTimeLimit) => {
    const startedAt = clock.monotonic();
    const requestId = requestIdOf(raw) ?? ids.next();
    const path = pathOf(raw.url);
    const owner = owners.get(path.split("/", 2)[1] ?? "") ?? otherwise;
    const env: RequestEnv = {
      requestId,
      peer,
      caller: undefined,
      setTimeLimit,
      reportFault(error) {
        const fields = { requestId, method: raw.method, path: shorten(path), error };
        if (raw.signal.aborted)
          log.debug("http.gone", fields); // the client left in the middle: nobody's fault
        else log.error("http.fault", fields);
      },
    };
    count.started();
    const response = withHeaders(await answer(raw, path, owner, env), requestId);
    const ms = clock.monotonic() - startedAt;
    count.finished(owner.name, response.status, ms);
    // No query string: it may hold tokens. Success is for debugging, failures help whoever writes a client.
    log[response.status < 400 ? "debug" : "info"]("http.request", {
      requestId,
      caller: env.caller,
      peer,
      method: raw.method,
      path: shorten(path),
      status: response.status,
      ms: Math.round(ms * 10) / 10,
    });
    return response;
  };

  async function answer(raw: Request, path: string, owner: Mount, env: RequestEnv): Promise<Response> {
    let isBounded = () => false;
    let response: Response;
    try {
      const limited = limitBody(raw, owner.maxBodyBytes?.(raw.method, path) ?? settings.maxBodyBytes);
      isBounded = limited.isBounded;
      response = await owner.fetch(limited.request, env);
    } catch (error) {
      if (!(error instanceof DomainError)) env.reportFault(error);
      response = owner.fail(error instanceof Error ? error : new Error(String(error)), env, path);
    }
    // Else the runtime would go on reading, and throwing away, what may never end.
    if (!isBounded()) response.headers.set("connection", "close");
    return response;
  }
}

const ID_FORM = /^[\w.-]{8,64}$/;
/** A proxy in front may have given the request an id already. */
function requestIdOf(request: Request): string | undefined {
  const given = request.headers.get("x-request-id");
  return given !== null && ID_FORM.test(given) ? given : undefined;
}

function pathOf(url: string): string {
  const start = url.indexOf("/", url.indexOf("://") + 3);
  const end = url.slice(start).search(/[?#]/);
  return end < 0 ? url.slice(start) : url.slice(start, start + end);
}

const shorten = (path: string) => (path.length > 200 ? `${path.slice(0, 200)}…` : path);

function withHeaders(response: Response, requestId: string): Response {
  response.headers.set("x-request-id", requestId);
  response.headers.set("x-content-type-options", "nosniff");
  return response;
}

const DURATION_BOUNDS_S = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

function requestMetrics(metrics: Metrics) {
  const requests = metrics.counter("islet_http_requests_total", "HTTP requests answered, by API and status class");
  const duration = metrics.histogram(
    "islet_http_request_duration_seconds",
    "Time from the head of a request to its answer",
    DURATION_BOUNDS_S,
  );
  let inFlight = 0;
  metrics.gauge("islet_http_requests_in_flight", "HTTP requests being answered", () => inFlight);
  const children = new Map<string, ReturnType<typeof requests.with>>();
  return {
    started() {
      inFlight++;
    },
    finished(api: string, status: number, ms: number) {
      inFlight--;
      duration.observe(ms / 1_000);
      const key = `${api} ${Math.floor(status / 100)}xx`;
      let child = children.get(key);
      if (!child) {
        child = requests.with({ api, status: `${Math.floor(status / 100)}xx` });
        children.set(key, child);
      }
      child.add();
    },
  };
}

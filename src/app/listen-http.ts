import { docsPage } from "../northbound/http/docs-page";
import { httpFront } from "../northbound/http/http-front";
import { joinOpenApi } from "../northbound/http/join-open-api";
import { type HttpServer, serveHttp } from "../northbound/http/serve-http";
import { systemRoutes } from "../northbound/http/system-routes";
import { type managementApi, managementMount, managementOpenApi } from "../northbound/management";
import { type oceanConnect, oceanConnectMount, oceanConnectOpenApi } from "../northbound/oceanconnect";
import type { ServerTls } from "../platform/certificates";
import type { Clock } from "../platform/clock";
import type { Ids } from "../platform/ids";
import type { Log } from "../platform/log";
import type { Metrics } from "../platform/metrics";
import type { Config } from "./config";
import type { Storage } from "./open-storage";
import { VERSION } from "./version";

type Parts = {
  readonly config: Config;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tls: ServerTls;
  readonly storage: Storage;
  readonly vendor: ReturnType<typeof oceanConnect>;
  readonly management: ReturnType<typeof managementApi>;
};

/** Opens http and https over one front: the vendor's API, our own, and the pages of the process. */
export function listenHttp({ config, clock, ids, log, metrics, tls, storage, vendor, management }: Parts) {
  // Made when somebody asks for it, once.
  const openApi = once(() => joinOpenApi(managementOpenApi(management, VERSION), oceanConnectOpenApi(vendor)));
  const page = once(() => docsPage(openApi()));
  const system = systemRoutes({
    checks: [
      { name: "registry", check: () => void storage.registry.query("SELECT 1 FROM migration").get() },
      { name: "telemetry", check: () => storage.writer.commit([]) },
    ],
    ...{ metrics, clock, docsPage: page, openApi },
    caCertificate: () => tls.ca,
  });
  const fetch = httpFront({
    mounts: [oceanConnectMount(vendor), managementMount(management)],
    otherwise: system,
    ...{ log, metrics, clock, ids, settings: { maxBodyBytes: config["http.max_body_bytes"] } },
  });

  const servers: Record<string, HttpServer> = {};
  if (config["http.listen"] !== "off") servers.http = serveHttp({ listen: config["http.listen"], fetch, clock });
  if (config["https.listen"] !== "off")
    servers.https = serveHttp({ listen: config["https.listen"], tls, fetch, clock });
  return {
    addresses: Object.fromEntries(Object.entries(servers).map(([name, { address }]) => [name, address])),
    async stop() {
      await Promise.all(Object.values(servers).map((server) => server.stop()));
    },
  };
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}

import { createHmac } from "node:crypto";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Clock } from "../../platform/clock";
import type { PushTrust } from "../applications/push-certificate";
import type { CallbackClient, PostResult } from "./callback-client";
import { isSameTrust, tlsOptions } from "./callback-trust";
import { type CallbackUrl, parseCallbackUrl } from "./callback-url";
import type { PushReason } from "./push-log";
import type { PushSettings } from "./push-settings";
import type { PushTarget } from "./target-repository";

type Settings = Pick<
  PushSettings,
  "answerTimeoutMs" | "probeTimeoutMs" | "maxAnswerBytes" | "answerBodyGraceMs" | "maxInFlight"
>;
type Parts = {
  clock: Clock;
  settings: Settings;
  findTrust: (appNo: number, hostPort: string) => PushTrust | undefined;
  /** The application's secret for signed pushes; undefined: unsigned. */
  findSigningSecret?: (appNo: number) => string | undefined;
};
/** A pool of connections that may be shared: one for plain HTTP, one for each way of checking a TLS receiver. */
type Pool = { readonly trust: PushTrust | undefined; readonly session: Bun.FetchSession };

const MAX_POOLS = 1_000;
const KEEP_ALIVE = { idleTimeout: 60 }; // seconds

/** Error codes of Bun's fetch and of sockets. What is not here was answered, but not in HTTP. */
const REASONS: Readonly<Record<string, PushReason>> = {
  ECONNREFUSED: "refused",
  ECONNRESET: "reset",
  EPIPE: "reset",
  ENETUNREACH: "unreachable",
  EHOSTUNREACH: "unreachable",
  EADDRNOTAVAIL: "unreachable",
  EACCES: "unreachable",
  ETIMEDOUT: "timeout",
  ENOTFOUND: "name_not_found",
  EAI_AGAIN: "name_not_found",
  EAI_FAIL: "name_not_found",
  EAI_NODATA: "name_not_found",
  EPROTO: "tls_failed",
  ERR_TLS_CERT_ALTNAME_INVALID: "tls_name",
  CERT_HAS_EXPIRED: "tls_untrusted",
  CERT_NOT_YET_VALID: "tls_untrusted",
  CERT_SIGNATURE_FAILURE: "tls_untrusted",
  CERT_UNTRUSTED: "tls_untrusted",
  CERT_REJECTED: "tls_untrusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "tls_untrusted",
  SELF_SIGNED_CERT_IN_CHAIN: "tls_untrusted",
  INVALID_CA: "tls_untrusted",
  INVALID_PURPOSE: "tls_untrusted",
  UNABLE_TO_GET_ISSUER_CERT: "tls_untrusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "tls_untrusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "tls_untrusted",
};
const RETRIED_STATUS: Readonly<Record<number, PushReason>> = {
  501: "status_501",
  502: "status_502",
  503: "status_503",
  504: "status_504",
};

/**
 * Pushes with Bun's fetch: connections are kept alive, redirects are not followed, proxies of the environment are not
 * used, answers are not decompressed and read only as far as is needed to use the connection again.
 */
export function httpCallbackClient({ clock, settings, findTrust, findSigningSecret }: Parts): CallbackClient {
  const plain = new Bun.FetchSession({ proxy: false, keepAlive: KEEP_ALIVE });
  const pools = new Map<string, Pool>();
  const addresses = new Map<string, CallbackUrl>();

  function parsed(text: string): CallbackUrl {
    const known = addresses.get(text);
    if (known) return known;
    const url = parseCallbackUrl(text);
    trim(addresses, MAX_POOLS * 4);
    addresses.set(text, url);
    return url;
  }

  function sessionOf({ appNo }: PushTarget, url: CallbackUrl): Bun.FetchSession {
    if (!url.secure) return plain;
    const key = `${appNo} ${url.hostPort}`;
    const trust = findTrust(appNo, url.hostPort);
    const known = pools.get(key);
    if (known && isSameTrust(known.trust, trust)) return known.session;
    known?.session.close(); // verified by rules that no longer hold
    const session = new Bun.FetchSession({ proxy: false, keepAlive: KEEP_ALIVE, tls: tlsOptions(url, trust) });
    for (const [, pool] of trim(pools, MAX_POOLS)) pool.session.close();
    pools.set(key, { trust, session });
    return session;
  }

  function headers(appNo: number, id: number, body: string): Record<string, string> {
    const common = { "Content-Type": "application/json", "User-Agent": "Islet", "X-Islet-Message": String(id) };
    const secret = findSigningSecret?.(appNo);
    return secret === undefined ? common : { ...common, "X-Islet-Signature": sign(secret, body, clock.now()) };
  }

  /** Reads the answer to its end, so that the connection can be used again; a long or slow one is cut off instead. */
  async function drain(response: Response): Promise<void> {
    const reader = response.body?.getReader();
    if (!reader) return;
    const cancel = () => void reader.cancel().catch(() => {});
    const stop = clock.after(settings.answerBodyGraceMs, cancel);
    try {
      let bytes = 0;
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        bytes += value.length;
        if (bytes > settings.maxAnswerBytes) return cancel();
      }
    } catch {
      // Cut off behind the status line: the status counts, the connection is gone anyway.
    } finally {
      stop();
    }
  }

  return {
    async post(target, { id, body }, stopping): Promise<PostResult> {
      const aborting = new AbortController();
      const abort = () => aborting.abort();
      let timedOut = false;
      const cancelTimeout = clock.after(settings.answerTimeoutMs, () => {
        timedOut = true;
        abort();
      });
      stopping.addEventListener("abort", abort, { once: true });
      if (stopping.aborted) abort();
      try {
        const response = await sessionOf(target, parsed(target.callbackUrl)).fetch(target.callbackUrl, {
          method: "POST",
          body,
          headers: headers(target.appNo, id, body),
          redirect: "manual",
          decompress: false,
          signal: aborting.signal,
        });
        const result = { reason: reasonOf(response.status), status: response.status };
        await drain(response);
        return result;
      } catch (error) {
        return { reason: timedOut ? "timeout" : reasonOfError(error), status: undefined };
      } finally {
        cancelTimeout();
        stopping.removeEventListener("abort", abort);
      }
    },

    probe(target, stopping) {
      return new Promise((resolve) => {
        const url = parsed(target.callbackUrl);
        const { host, port } = url;
        const { serverName, ...tls } = tlsOptions(url, findTrust(target.appNo, url.hostPort));
        const socket = url.secure
          ? connectTls({ host, port, ...tls, ...(serverName === undefined ? {} : { servername: serverName }) })
          : connectTcp({ host, port });
        const cancelTimeout = clock.after(settings.probeTimeoutMs, () => finish(false));
        const abort = () => finish(false);
        function finish(reached: boolean): void {
          cancelTimeout();
          stopping.removeEventListener("abort", abort);
          socket.destroy();
          resolve(reached);
        }
        stopping.addEventListener("abort", abort, { once: true });
        socket.on(url.secure ? "secureConnect" : "connect", () => finish(true));
        socket.on("error", () => finish(false));
        socket.on("close", () => finish(false));
      });
    },
  };
}

/** `t` is in seconds; `v1` the HMAC-SHA256 over `<t>.<body>`, so that an old push cannot be sent again as a new one. */
export function sign(secret: string, body: string, nowMs: number): string {
  const seconds = Math.floor(nowMs / 1_000);
  return `t=${seconds},v1=${createHmac("sha256", secret).update(`${seconds}.${body}`).digest("hex")}`;
}

/** 200 is what the document names; any 2xx says as much ("Disagreements" 12 calls everything else failed). */
function reasonOf(status: number): PushReason {
  if (status >= 200 && status < 300) return "delivered";
  if (status >= 300 && status < 400) return "redirected";
  return RETRIED_STATUS[status] ?? "status_other";
}

function reasonOfError(error: unknown): PushReason {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  return REASONS[code] ?? "bad_response";
}

/** Makes room for one more; returns the oldest entries that had to go. */
function trim<V>(map: Map<string, V>, limit: number): [string, V][] {
  const gone = [...map].slice(0, Math.max(0, map.size - limit + 1));
  for (const [key] of gone) map.delete(key);
  return gone;
}

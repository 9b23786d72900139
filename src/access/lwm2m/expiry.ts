import type { Worker } from "../../platform/worker";
import type { LwM2mHub } from "./hub";

const AT_ONCE = 500;

/** Forgets registrations whose lifetime has been over for long; the stop ends the wait. */
export function startRegistrationExpiry(hub: LwM2mHub): Worker {
  const stopping = new AbortController();
  const { expirySweepMs, expiredKeepMs } = hub.settings;

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const gone = await sweep();
      if (gone < AT_ONCE) await hub.clock.sleep(expirySweepMs, stopping.signal);
    }
  }

  async function sweep(): Promise<number> {
    try {
      const gone = await hub.registrations.removeExpired(expiredKeepMs, AT_ONCE);
      if (gone.length > 0) hub.counters.registration.expired.add(gone.length);
      for (const { peer } of gone) if (peer) hub.coap.abandon(peer);
      return gone.length;
    } catch (error) {
      hub.log.error("lwm2m_expiry_failed", { error }); // a full disk passes
      return 0;
    }
  }

  const finished = run();
  return {
    finished,
    async stop() {
      stopping.abort();
      await finished;
    },
  };
}

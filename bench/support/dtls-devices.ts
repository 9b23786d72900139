import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../migrations";
import { connectionKey } from "../../src/access/dtls/routes";
import { keyMark, sealSession } from "../../src/access/dtls/sealed-session";
import { sessionRepository } from "../../src/access/dtls/session-repository";
import { createSealer } from "../../src/platform/secrets";
import { openDatabase } from "../../src/platform/storage/open-database";
import { type DtlsSession, EMPTY_WINDOW, PSK_AES_128_CCM_8, sessionKeys } from "../../src/wire/dtls";

/** Devices and keys that protect nothing. */
export const BENCH_MASTER_KEY = new Uint8Array(32).fill(1);
export const PSK_HEX = "000102030405060708090a0b0c0d0e0f";
const FIRST = 863_703_030_000_000;

export const identityOf = (deviceNo: number) => `${FIRST + deviceNo}`;
export const deviceOf = (identity: string): number | undefined => {
  const deviceNo = Number(identity) - FIRST;
  return Number.isInteger(deviceNo) && deviceNo > 0 && deviceNo < 1_000_000 ? deviceNo : undefined;
};

/** Databases with so many sessions of sleeping devices, as an endpoint would have left them; connection ids both ways. */
export function storeSessions(folder: string, count: number): DtlsSession[] {
  const registry = openDatabase(join(folder, "registry.db"), { migrations: REGISTRY_MIGRATIONS });
  const telemetry = openDatabase(join(folder, "telemetry.db"), { migrations: TELEMETRY_MIGRATIONS });
  const repository = sessionRepository(registry, telemetry);
  const sealer = createSealer(BENCH_MASTER_KEY);
  const sessions: DtlsSession[] = [];
  const used = new Set<number>();
  registry.transaction(() => {
    repository.nextGeneration(Date.now() - 7_200_000);
    for (let deviceNo = 1; deviceNo <= count; deviceNo++) {
      const masterSecret = randomBytes(48);
      let connectionId = randomBytes(6);
      while (used.has(connectionKey(connectionId))) connectionId = randomBytes(6);
      used.add(connectionKey(connectionId));
      const session: DtlsSession = {
        suite: PSK_AES_128_CCM_8,
        masterSecret,
        keys: sessionKeys(PSK_AES_128_CCM_8, masterSecret, { client: randomBytes(32), server: randomBytes(32) }),
        sessionId: randomBytes(32),
        identity: Buffer.from(identityOf(deviceNo)),
        extendedMasterSecret: true,
        encryptThenMac: false,
        ownConnectionId: connectionId,
        peerConnectionId: Uint8Array.of(1),
      };
      sessions.push(session);
      const sealed = sealSession(sealer, deviceNo, { session, keyMark: keyMark(PSK_HEX) });
      const place = { address: `10.0.${deviceNo >> 8}.${deviceNo & 255}`, port: 40_000 };
      const progress = { generation: 1, nextSequence: 1, window: EMPTY_WINDOW };
      const row = { deviceNo, sessionId: session.sessionId, connectionId, sealed, ...place, ...progress };
      repository.insert(row, Date.now());
    }
  })();
  registry.close();
  telemetry.close();
  return sessions;
}

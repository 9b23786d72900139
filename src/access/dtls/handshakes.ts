import type { Clock } from "../../platform/clock";
import type { ServerConnection } from "../../wire/dtls";
import type { Login } from "./psk-login";
import { type AddressKey, addressKey, connectionKey } from "./routes";
import type { DtlsSettings } from "./settings";

/** A client that has shown its cookie, until its session is on disk or the handshake has failed. */
export type Handshake = {
  readonly connection: ServerConnection;
  readonly address: string;
  readonly port: number;
  /** Of the hello; the same again is a repetition. */
  readonly random: Uint8Array;
  /** Given to the client if it can use one. */
  readonly connectionId: Uint8Array;
  /** Known with the identity. */
  login: Login | undefined;
  isTraced: boolean;
  /** It has opened, and its row is on the way to the disk: until then nothing leaves, and nothing is delivered. */
  isStoring: boolean;
  isOver: boolean;
  readonly held: Uint8Array[];
  readonly early: Uint8Array[];
  cancelTimer: (() => void) | undefined;
};

type Options = {
  readonly clock: Clock;
  readonly settings: Pick<DtlsSettings, "maxHandshakes" | "flightTimeoutMs" | "maxFlightTimeoutMs">;
  /** The wait for the client's next flight is over. */
  readonly noReply: (handshake: Handshake) => void;
};

/** Handshakes under way, found by the client's address, or by the connection id that it was given. */
export function createHandshakes({ clock, settings, noReply }: Options) {
  const byAddress = new Map<AddressKey, Handshake>();
  const byConnection = new Map<number, Handshake>();

  function end(handshake: Handshake): void {
    handshake.isOver = true;
    handshake.cancelTimer?.();
    const key = addressKey(handshake.address, handshake.port);
    if (byAddress.get(key) === handshake) byAddress.delete(key);
    byConnection.delete(connectionKey(handshake.connectionId));
  }

  return {
    byAddress: (key: AddressKey): Handshake | undefined => byAddress.get(key),
    byConnection: (key: number): Handshake | undefined => byConnection.get(key),
    all: (): Iterable<Handshake> => byAddress.values(),
    get size() {
      return byAddress.size;
    },
    /** The one that has waited longest, if there is no room for another. */
    surplus(): Handshake | undefined {
      if (byAddress.size < settings.maxHandshakes) return undefined;
      for (const handshake of byAddress.values()) if (!handshake.isStoring) return handshake;
      return undefined;
    },
    add(handshake: Handshake): void {
      byAddress.set(addressKey(handshake.address, handshake.port), handshake);
      byConnection.set(connectionKey(handshake.connectionId), handshake);
    },
    startTimer(handshake: Handshake, attempt: number): void {
      handshake.cancelTimer?.();
      const waitMs = Math.min(settings.flightTimeoutMs * 2 ** (attempt - 1), settings.maxFlightTimeoutMs);
      handshake.cancelTimer = clock.after(waitMs, () => noReply(handshake));
    },
    end,
  };
}
export type Handshakes = ReturnType<typeof createHandshakes>;

/** Records of epoch 1 can be read. */
export const hasKeys = ({ connection }: Handshake) => connection.at === "finishedAwaited" || connection.at === "open";

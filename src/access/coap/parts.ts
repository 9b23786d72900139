import type { Clock } from "../../platform/clock";
import type { Log } from "../../platform/log";
import type { BlockSize, ExchangeSettings } from "../../wire/coap";
import type { CoapHandlers } from "./coap-endpoint";
import type { CoapCounters } from "./counters";
import type { EndedTokens } from "./ended-tokens";
import type { SeenMessages } from "./known-peers";
import type { MessageIds } from "./message-ids";
import type { OpenPeers } from "./open-peers";
import type { CoapSettings } from "./settings";

/** What all parts of one endpoint share. */
export type EndpointParts = {
  readonly handlers: CoapHandlers;
  readonly settings: CoapSettings;
  readonly blockSize: BlockSize;
  readonly exchange: ExchangeSettings;
  readonly clock: Clock;
  readonly log: Log;
  readonly counters: CoapCounters;
  readonly peers: OpenPeers;
  readonly seen: SeenMessages;
  readonly messageIds: MessageIds;
  readonly endedTokens: EndedTokens;
  /** Random bytes that nobody can guess. */
  random(length: number): Uint8Array;
  /** In [0, 1). */
  randomFraction(): number;
  /** Runs what may call somebody else's code; a fault is logged and ends there. */
  guarded(where: string, run: () => void): void;
};

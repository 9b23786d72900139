import type { LiveDevice } from "../../capabilities/devices/device";
import type { Sequenced } from "../../wire/coap";
import type { Peer } from "../datagram/peer";
import type { StoredRegistration } from "./registration-repository";

/** A registration in use: what is stored, and what only this process knows. Changed in place after each commit. */
export type Registered = {
  stored: StoredRegistration;
  readonly live: LiveDevice;
  /** How it is reached; undefined until it is heard or sent to. */
  peer: Peer | undefined;
  /** Monotonic; undefined: not since this process holds it. */
  heardMs: number | undefined;
  /** Newest notification per observation, for those of resources: `/5/0/3` → its sequence number. */
  readonly newest: Map<string, Sequenced>;
  /** Aborts when another registration, or none, is in its place: nobody is observed under its tokens any more. */
  readonly over: AbortController;
  /** Changes and messages under way: it may not leave the memory. */
  busy: number;
};

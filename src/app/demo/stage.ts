import type { Clock } from "../../platform/clock";
import type { Call } from "./management-client";
import type { Push } from "./receiver";

/** What lamps and detectors play on: a server, an application that is logged in, and its receiver of pushes. */
export type Stage = {
  /** Addresses of the server's listeners, for example `127.0.0.1:1883`. */
  readonly addresses: { readonly mqtt: string; readonly coap: string; readonly coaps: string };
  readonly appId: string;
  /** The management API, and the vendor's. */
  readonly manage: Call;
  readonly call: Call;
  /** Where pushes of command states go. */
  readonly callbackUrl: string;
  /** Starts the names of devices, so that the demo can be run again on the same data folder. */
  readonly name: string;
  readonly clock: Clock;
  readonly print: (line: string) => void;
  /** Gives the device a name for what is printed of its pushes. */
  readonly label: (deviceId: string, label: string) => void;
};

/** A kind of devices. */
export type Cast = {
  readonly productId: string;
  readonly deviceIds: readonly string[];
  /** All of them, once; rejects when a report is not taken. */
  report(): Promise<void>;
  /** To one of them. */
  command(): Promise<void>;
  onPush(push: Push): void;
  /** What should have happened and has not, in words. */
  missing(): string[];
  stop(): Promise<void>;
};

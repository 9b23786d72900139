import type { EnclosedRow } from "../../platform/storage/storage-writer";
import type { LiveDevice } from "../devices/device";

/** What one device said about one service, as its protocol delivered it. */
export type ServiceReport = {
  readonly serviceId: string;
  readonly data: Readonly<Record<string, unknown>>;
  /** The device's own time of sampling, ms; undefined when it gave none or a malformed one. */
  readonly eventTimeMs: number | undefined;
};

/** A service report that fits the model, with the time that counts for it. */
export type AcceptedReport = {
  readonly serviceId: string;
  readonly serviceType: string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly timestampMs: number;
};

/** Who waits for the answer. One object per connection; the ticket tells its messages apart. No allocation per message. */
export interface AckSink {
  /** The message is on disk (or was refused for good, and the refusal is known): tell the device. */
  acknowledge(ticket: number): void;
  /** It could not be stored: the device must send it again, so close the connection without acknowledging. */
  abandon(ticket: number): void;
  /** Called once after a run of `acknowledge` calls, so that many answers share one write to the socket. */
  flush(): void;
}

export interface Ingest {
  /**
   * Checks, updates the live state, joins the current batch. Never throws; misfits are counted and traced, what fits is stored.
   * `sink` hears of tickets in the order of these calls. `enclosed` rows are committed in the same transaction.
   */
  report(
    device: LiveDevice,
    reports: readonly ServiceReport[],
    sink: AckSink,
    ticket: number,
    enclosed?: EnclosedRow,
  ): void;
  /** Nothing to store, but the answer must keep its place in the order (and `enclosed` be on disk). */
  pass(sink: AckSink, ticket: number, enclosed?: EnclosedRow): void;
  /** True while the store is behind: the caller stops reading from its sockets until `onDrain` listeners are called. */
  readonly congested: boolean;
  onDrain(listener: () => void): void;
}

/** Port: who is told of accepted reports. Implemented by `subscriptions`, joined in `app`. */
export interface ReportNotifier {
  /** Cheap: would anybody be told of reports of this device? Left out, the answer is yes. */
  wants?(device: LiveDevice): boolean;
  /** Rows for the outbox, committed together with the reports. Empty for nobody. */
  rowsFor(device: LiveDevice, reports: readonly AcceptedReport[]): readonly EnclosedRow[];
}

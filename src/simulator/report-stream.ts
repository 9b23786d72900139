import type { Clock } from "../platform/clock";
import type { QoS } from "../wire/mqtt";
import type { Histogram } from "./histogram";
import { reportSlots } from "./report-template";

export type StreamCounters = { sent: number; acknowledged: number; skipped: number };

type Parts = {
  readonly device: { readonly reportsTo: Uint8Array; readonly isFull: boolean; sendBytes(bytes: Uint8Array): void };
  readonly payload: string;
  readonly qos: QoS;
  /** Reports that may be unacknowledged at a time. */
  readonly window: number;
  /** Sends as fast as the window lets it, instead of when told by `owe`. */
  readonly flood: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly latencies: Histogram; // microseconds from when the report was due to its acknowledgement
  readonly counters: StreamCounters;
};

const MAX_OWED = 1_000;

export type ReportStream = ReturnType<typeof reportStream>;

/** The reports of one device, made for load: nothing is allocated per report, and a run of them is one write. */
export function reportStream({ device, payload, qos, window, flood, clock, random, latencies, counters }: Parts) {
  const slots = reportSlots(device.reportsTo, payload, qos, window, random);
  const isFlying = new Uint8Array(window);
  const dueAt = new Float64Array(window);
  const owed: number[] = []; // when the reports were due that found no free slot
  let free: number[] = [];
  let isRunning = false;
  let now = -1; // of the chunk that is being read; -1: not looked up

  function reset(): void {
    isFlying.fill(0);
    free = Array.from({ length: window }, (_, slot) => slot);
  }

  /** Sends what may be sent; slots that lie side by side go in one write. */
  function send(at: number): void {
    if (!isRunning) return;
    while (free.length > 0 && (flood || owed.length > 0) && !(qos === 0 && device.isFull)) {
      const first = free[0] as number;
      const most = flood ? free.length : Math.min(free.length, owed.length);
      let length = 0;
      while (length < most && free[length] === first + length) {
        const slot = first + length;
        slots.refresh(slot);
        dueAt[slot] = flood ? at : (owed[length] as number);
        isFlying[slot] = 1;
        length++;
      }
      counters.sent += length;
      if (!flood) owed.splice(0, length);
      if (qos === 0) rotate(length);
      else free.splice(0, length);
      device.sendBytes(slots.packets(first, length));
      if (qos === 0 && flood) return; // once a turn
    }
  }
  /** Nobody acknowledges QoS 0. */
  function rotate(length: number): void {
    counters.acknowledged += length;
    free.push(...free.splice(0, length));
  }

  reset();
  return {
    start(): void {
      isRunning = true;
      send(clock.monotonic());
    },
    stop(): void {
      isRunning = false;
      owed.length = 0;
    },
    /** A report is due. */
    owe(at: number): void {
      if (owed.length < MAX_OWED) owed.push(at);
      else counters.skipped++;
      send(at);
    },
    acknowledged(packetId: number): void {
      const slot = packetId - 1;
      if (slot >= window || isFlying[slot] === 0) return;
      if (now < 0) now = clock.monotonic();
      isFlying[slot] = 0;
      free.push(slot);
      counters.acknowledged++;
      latencies.record((now - (dueAt[slot] as number)) * 1_000);
    },
    /** All acknowledgements of a chunk are in. */
    goOn(): void {
      if (now >= 0) send(now);
      now = -1;
    },
    /** The socket takes bytes again, or the next turn has come. */
    resume(): void {
      send(clock.monotonic());
    },
    /** A new connection: what was under way is lost, and sent anew. */
    reconnected(): void {
      reset();
      send(clock.monotonic());
    },
    get flying(): number {
      return window - free.length;
    },
  };
}

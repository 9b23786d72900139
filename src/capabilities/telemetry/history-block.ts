/**
 * A block is a row of the history: what one device reported in one batch, and later several of those joined. It never reaches over an aligned
 * hour of event time, so a time range cuts through blocks of two hours at most, however odd the times of a device are.
 */
export const BLOCK_SPAN_MS = 3_600_000;
const MAX_BLOCK_RECORDS = 512; // what a reader has to decode at once
const MAX_BLOCK_CHARS = 131_072;

export type HistoryRecord = {
  readonly serviceId: string;
  readonly timestampMs: number;
  readonly data: Readonly<Record<string, unknown>>;
};

/** Text as it is stored: `{"s": service or services, "t": [times], "d": [data]}`; the entries in the order of arrival. */
export type OpenBlock = {
  readonly deviceNo: number;
  readonly span: number; // which hour
  minMs: number;
  maxMs: number;
  count: number;
  service: string; // while all records are of one service
  services: string | undefined; // once they are not: the inside of a JSON array
  times: string;
  data: string;
};

export function openBlock(deviceNo: number, timestampMs: number): OpenBlock {
  return {
    deviceNo,
    span: Math.floor(timestampMs / BLOCK_SPAN_MS),
    minMs: timestampMs,
    maxMs: timestampMs,
    count: 0,
    service: "",
    services: undefined,
    times: "",
    data: "",
  };
}

export const hasRoom = (block: OpenBlock, timestampMs: number) =>
  block.count < MAX_BLOCK_RECORDS &&
  block.data.length < MAX_BLOCK_CHARS &&
  block.span === Math.floor(timestampMs / BLOCK_SPAN_MS);

/** Strings are only chained here (the engine keeps ropes); they become flat once, on their way to the writer thread. */
export function append(block: OpenBlock, serviceId: string, timestampMs: number, json: string): void {
  if (block.count === 0) {
    block.service = serviceId;
    block.times = `${timestampMs}`;
    block.data = json;
  } else {
    if (block.services !== undefined) block.services += `,${JSON.stringify(serviceId)}`;
    else if (serviceId !== block.service) block.services = `${repeated(block)},${JSON.stringify(serviceId)}`;
    block.times += `,${timestampMs}`;
    block.data += `,${json}`;
    if (timestampMs < block.minMs) block.minMs = timestampMs;
    if (timestampMs > block.maxMs) block.maxMs = timestampMs;
  }
  block.count++;
}

/** The inside of a JSON array with the one service of the block, for each of its records. */
function repeated({ service, count }: OpenBlock): string {
  const one = JSON.stringify(service);
  return one + `,${one}`.repeat(count - 1);
}

export const canJoin = (block: OpenBlock, next: OpenBlock) =>
  block.span === next.span &&
  block.count + next.count <= MAX_BLOCK_RECORDS &&
  block.data.length + next.data.length <= MAX_BLOCK_CHARS;

/** Both in one; what `next` has came later. Only where `canJoin`. */
export function joinBlocks(block: OpenBlock, next: OpenBlock): OpenBlock {
  const isOneService = block.services === undefined && next.services === undefined && block.service === next.service;
  return {
    ...block,
    minMs: Math.min(block.minMs, next.minMs),
    maxMs: Math.max(block.maxMs, next.maxMs),
    count: block.count + next.count,
    services: isOneService ? undefined : `${block.services ?? repeated(block)},${next.services ?? repeated(next)}`,
    times: `${block.times},${next.times}`,
    data: `${block.data},${next.data}`,
  };
}

/** Back from what `renderBlock` has made. Throws SyntaxError when the text is not a block. */
export function parseBlock(deviceNo: number, text: string): OpenBlock {
  const { s, t, d } = JSON.parse(text) as { s: string | string[]; t: number[]; d: unknown[] };
  const block = openBlock(deviceNo, t[0] as number);
  for (const [index, timestampMs] of t.entries())
    append(block, typeof s === "string" ? s : (s[index] as string), timestampMs, JSON.stringify(d[index]));
  return block;
}

export const renderBlock = ({ service, services, times, data }: OpenBlock): string =>
  `{"s":${services === undefined ? JSON.stringify(service) : `[${services}]`},"t":[${times}],"d":[${data}]}`;

/** Records newest first; of equal times the later arrival first. Throws SyntaxError when the text is not a block. */
export function decodeBlock(text: string): HistoryRecord[] {
  const { s, t, d } = JSON.parse(text) as { s: string | string[]; t: number[]; d: HistoryRecord["data"][] };
  const records: HistoryRecord[] = [];
  let isSorted = true;
  for (let index = t.length - 1; index >= 0; index--) {
    const timestampMs = t[index] as number;
    if (index < t.length - 1 && timestampMs > (t[index + 1] as number)) isSorted = false;
    records.push({
      serviceId: typeof s === "string" ? s : (s[index] as string),
      timestampMs,
      data: d[index] as HistoryRecord["data"],
    });
  }
  // The sort is stable, so the later arrival stays in front.
  return isSorted ? records : records.sort((a, b) => b.timestampMs - a.timestampMs);
}

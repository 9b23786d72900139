import type { PcpMessage } from "./message";

/** Messages that carry a result, by the name of their exchange (pcp.md §5.7, one column each). */
export type ResultCarrier = Exclude<
  PcpMessage["type"],
  "queryVersionRequest" | "newVersionRequest" | "shardRequest" | "executeRequest"
>;

type Row = { readonly code: number; readonly text: string; readonly in: readonly ResultCarrier[] };

/** pcp.md §5.7: every code, its text for people, and the messages it may stand in. */
export const RESULT_CODES = [
  {
    code: 0x00,
    text: "success",
    in: [
      "queryVersionResponse",
      "newVersionResponse",
      "shardResponse",
      "downloadResultRequest",
      "downloadResultResponse",
      "executeResponse",
      "upgradeResultRequest",
      "upgradeResultResponse",
    ],
  },
  { code: 0x01, text: "device in use", in: ["newVersionResponse", "executeResponse", "upgradeResultRequest"] },
  { code: 0x02, text: "poor signal", in: ["newVersionResponse"] },
  { code: 0x03, text: "already the latest version", in: ["newVersionResponse"] },
  { code: 0x04, text: "low battery", in: ["newVersionResponse", "executeResponse", "upgradeResultRequest"] },
  {
    code: 0x05,
    text: "insufficient storage space",
    in: ["newVersionResponse", "downloadResultRequest", "executeResponse", "upgradeResultRequest"],
  },
  { code: 0x06, text: "download timeout", in: ["downloadResultRequest"] },
  { code: 0x07, text: "upgrade package verification failure", in: ["downloadResultRequest"] },
  { code: 0x08, text: "unsupported upgrade package type", in: ["downloadResultRequest"] },
  { code: 0x09, text: "insufficient memory", in: ["newVersionResponse", "executeResponse", "upgradeResultRequest"] },
  { code: 0x0a, text: "upgrade package installation failure", in: ["upgradeResultRequest"] },
  { code: 0x7f, text: "internal exception", in: ["newVersionResponse", "upgradeResultRequest"] },
  {
    code: 0x80,
    text: "upgrade task does not exist",
    in: ["shardResponse", "downloadResultResponse", "upgradeResultResponse"],
  },
  { code: 0x81, text: "shard does not exist", in: ["shardResponse"] },
] as const satisfies readonly Row[];

const ROWS: readonly Row[] = RESULT_CODES;

/** What the platform answers with. */
export const RESULT = { success: 0x00, noTask: 0x80, noShard: 0x81 } as const;

/** Of the messages of this type; the codes of its column. */
export const resultCodesOf = (type: ResultCarrier): readonly number[] =>
  ROWS.filter((row) => row.in.includes(type)).map(({ code }) => code);

/** False: the message is PCP all the same, and what it reports has failed (pcp.md §5.7). */
export const isKnownResult = (type: ResultCarrier, code: number): boolean =>
  ROWS.some((row) => row.code === code && row.in.includes(type));

/** Total: a code outside the column of its message is `unknown result code 0xNN` (pcp.md §5.7). */
export function resultText(type: ResultCarrier, code: number): string {
  const row = ROWS.find((it) => it.code === code && it.in.includes(type));
  return row?.text ?? `unknown result code 0x${code.toString(16).toUpperCase().padStart(2, "0")}`;
}

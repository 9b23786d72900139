import { describe, expect, test } from "bun:test";
import { type DeviceMessage, RESULT_CODES, type ResultCarrier } from "../../../wire/pcp";
import { samplePackage } from "../testing/fake-desk";
import { STAGES, type Stage } from "../upgrade-link";
import { decide, type Verdict } from "./session";

/** Three shards: 0 and 1 whole, 2 of 6 bytes. */
const PACKAGE = samplePackage({ kind: "software", size: 70, shardSize: 32, version: "V2.0" });
const at = (stage: Stage) => ({ stage, package: PACKAGE });
const shard = (shardIndex: number, targetVersion = "V2.0"): DeviceMessage => ({
  ...{ type: "shardRequest", targetVersion, shardIndex },
});
const downloaded = (downloadStatus: number): DeviceMessage => ({ type: "downloadResultRequest", downloadStatus });
const ended = (resultCode: number, currentVersion = "V2.0"): DeviceMessage => ({
  ...{ type: "upgradeResultRequest", resultCode, currentVersion },
});
const version = (resultCode: number, currentVersion = "V1.0"): DeviceMessage => ({
  ...{ type: "queryVersionResponse", resultCode, currentVersion },
});
const notified = (resultCode: number): DeviceMessage => ({ type: "newVersionResponse", resultCode });
const executed = (resultCode: number): DeviceMessage => ({ type: "executeResponse", resultCode });

const short = (verdict: Verdict): string => {
  switch (verdict.kind) {
    case "answer":
      return `answer ${verdict.resultCode.toString(16)}`;
    case "tell": {
      const { fact, then } = verdict;
      const what = fact.type === "failed" ? `failed ${fact.code} ${fact.reason}` : fact.type;
      return then ? `${what}, ${then}` : what;
    }
    case "versionKnown":
      return `known ${verdict.version}`;
    default:
      return verdict.kind;
  }
};
/** The verdict in each stage, in the order of STAGES. */
const everywhere = (message: DeviceMessage) => STAGES.map((stage) => short(decide(at(stage), message)));
const NO_TASK = "answer 80";
const before = (many: string) => Array(5).fill(many);

describe("in every stage", () => {
  test("a shard is served from the notice on, and the first one is consent", () => {
    expect(everywhere(shard(0))).toEqual([...before(NO_TASK), "accepted, shard", ...Array(4).fill("shard")]);
    expect(everywhere(shard(2))[6]).toBe("shard");
  });

  test("a shard of another version is no task's, and one behind the end does not exist", () => {
    expect(everywhere(shard(0, "V1.9"))).toEqual(Array(10).fill(NO_TASK));
    expect(everywhere(shard(3))).toEqual([...before(NO_TASK), ...Array(5).fill("answer 81")]);
    expect(everywhere(shard(65_535))[6]).toBe("answer 81");
  });

  test("the end of the download is told once", () => {
    expect(everywhere(downloaded(0))).toEqual([
      ...before(NO_TASK),
      ...["downloaded, answer", "downloaded, answer", "answer 0", "answer 0", "answer 0"],
    ]);
  });

  test("the end of the upgrade is told by who was told to install, or has the very version", () => {
    const success = "succeeded, answer";
    expect(everywhere(ended(0))).toEqual([...before(NO_TASK), ...Array(5).fill(success)]);
    expect(everywhere(ended(0, "V1.0"))).toEqual([...before(NO_TASK), NO_TASK, NO_TASK, ...Array(3).fill(success)]);
    const failure = "failed 0A upgrade package installation failure, answer";
    expect(everywhere(ended(10))).toEqual([...before(NO_TASK), NO_TASK, NO_TASK, ...Array(3).fill(failure)]);
  });

  test("responses count where they were asked for", () => {
    const only = (verdict: string, ...stages: Stage[]) => STAGES.map((it) => (stages.includes(it) ? verdict : "late"));
    expect(everywhere(version(0))).toEqual(only("version", "version", "verifying"));
    expect(everywhere(version(1))).toEqual(only("versionFailed", "version", "verifying"));
    expect(everywhere(notified(0))).toEqual(only("accepted", "announcing"));
    expect(everywhere(executed(0))).toEqual(only("updating", "executing"));
  });
});

test("without an order nothing exists, and nothing is waited for", () => {
  const messages = [shard(0), downloaded(0), downloaded(5), ended(0), version(0), notified(0), executed(0)];
  expect(messages.map((message) => short(decide(undefined, message)))).toEqual([
    ...[NO_TASK, NO_TASK, NO_TASK, NO_TASK, "late", "late", "late"],
  ]);
});

test("a version that was asked for before a second order to install decides about it", () => {
  expect(short(decide(at("executing"), version(0, "V1.0"), true))).toBe("known V1.0");
  expect([
    short(decide(at("executing"), version(1), true)),
    short(decide(at("executing"), version(0))),
    short(decide(at("updating"), version(0), true)),
  ]).toEqual(["late", "late", "late"]);
});

describe("every result code", () => {
  const columns: [ResultCarrier, Stage, (code: number) => DeviceMessage][] = [
    ["newVersionResponse", "announcing", notified],
    ["downloadResultRequest", "downloading", downloaded],
    ["executeResponse", "executing", executed],
    ["upgradeResultRequest", "updating", ended],
  ];
  const failing = RESULT_CODES.filter(({ code }) => code > 0 && code < 0x80);
  test.each(columns.flatMap(([column, stage, message]) => failing.map((row) => ({ column, stage, message, row }))))(
    "$row.code of $column has its text, or is unknown",
    ({ column, stage, message, row }) => {
      const hex = row.code.toString(16).toUpperCase().padStart(2, "0");
      const isKnown = (row.in as readonly string[]).includes(column);
      const reason = isKnown ? row.text : `unknown result code 0x${hex}`;
      expect(decide(at(stage), message(row.code))).toMatchObject({ fact: { type: "failed", code: hex, reason } });
    },
  );
});

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openForReading } from "../../platform/storage/open-database";
import { startStorageWriter } from "../../platform/storage/storage-writer";
import { seededRandom } from "../../platform/testing/seeded-random";
import { createHistory } from "./history";
import { openRecentBlocks } from "./recent-blocks";
import { HISTORY_DEFAULTS } from "./settings";

const DEVICES = 12;
const ROUNDS = 5;

/** What is on disk of one device: sequence numbers in the order of storing, the shadow and the enclosed rows. */
async function stored(path: string, deviceNo: number) {
  const writer = await startStorageWriter(path, "relaxed");
  const reads = openForReading(path);
  try {
    const recents = await openRecentBlocks(reads, writer);
    const history = createHistory({ reads, recents, settings: HISTORY_DEFAULTS });
    const sequence: number[] = [];
    for (let page = 0; ; page++) {
      const { items } = await history.page({ deviceNos: [deviceNo], page, pageSize: 2_000 });
      sequence.push(...items.map(({ data }) => data.temperature as number));
      if (items.length < 2_000) break;
    }
    const shadow = reads
      .query<{ reported: string }, [number]>("SELECT reported FROM shadow WHERE device_no = ?")
      .get(deviceNo);
    const enclosed = reads
      .query<{ n: number }, [number, number]>(
        "SELECT COUNT(*) AS n FROM device_seen WHERE device_no > ? AND device_no < ?",
      )
      .get(deviceNo * 1_000_000, (deviceNo + 1) * 1_000_000);
    return { sequence: sequence.reverse(), shadow: JSON.parse(shadow?.reported ?? "{}"), enclosed: enclosed?.n };
  } finally {
    reads.close();
    await writer.close();
  }
}

/** Runs the child until it has said `lines` lines, then kills it. Returns the last acknowledged number of each device. */
async function runAndKill(path: string, firsts: readonly number[], lines: number): Promise<Map<number, number>> {
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "testing/crash-child.ts"), path, firsts.join(",")], {
    stdout: "pipe",
    stderr: "inherit",
  });
  const acknowledged = new Map<number, number>();
  const decoder = new TextDecoder();
  let seen = 0;
  let rest = "";
  for await (const chunk of child.stdout) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) {
      const [device, sequence] = line.split(" ").map(Number) as [number, number];
      acknowledged.set(device, sequence);
    }
    seen += parts.length;
    if (seen >= lines) child.kill("SIGKILL"); // what it still said before it died is read to the end
  }
  await child.exited;
  return acknowledged;
}

test("killed at any moment: what was acknowledged is there, once, with its rows and in the shadow", async () => {
  const folder = mkdtempSync(join(tmpdir(), "islet-crash-"));
  const path = join(folder, "telemetry.db");
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] as number;
  const random = seededRandom(seed);
  let firsts = new Array<number>(DEVICES).fill(1);
  try {
    for (let round = 0; round < ROUNDS; round++) {
      const acknowledged = await runAndKill(path, firsts, Math.floor(random() * 8_000));
      const lasts: number[] = [];
      for (let deviceNo = 1; deviceNo <= DEVICES; deviceNo++) {
        const where = `seed ${seed}, round ${round}, device ${deviceNo}`;
        const { sequence, shadow, enclosed } = await stored(path, deviceNo);
        const last = sequence.length;
        expect(sequence, where).toEqual(Array.from({ length: last }, (_, index) => index + 1));
        expect(last, where).toBeGreaterThanOrEqual(acknowledged.get(deviceNo) ?? 0);
        expect(enclosed, where).toBe(last);
        const even = last - (last % 2);
        const expected = { ...(last > 0 && { temperature: last }), ...(even > 0 && { humidity: even }) };
        expect(shadow, where).toEqual(expected);
        lasts.push(last);
      }
      firsts = lasts.map((last) => last + 1);
    }
    expect(Math.min(...firsts)).toBeGreaterThan(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}, 60_000);

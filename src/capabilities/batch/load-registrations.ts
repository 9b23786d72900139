import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Sealer } from "../../platform/secrets";
import type { Transactor } from "../../platform/storage/group-commit";
import { CsvError, type CsvRow, csvParser } from "./csv";
import type { ItemRepository } from "./item-repository";
import {
  fileInvalid,
  type ReadRegistration,
  type RegistrationColumn,
  readHeader,
  readRegistration,
} from "./registration-rows";
import { sealContext } from "./start-items";
import type { BatchSettings, Task } from "./task";
import type { TaskRepository } from "./task-repository";

type Parts = {
  readonly tasks: Pick<TaskRepository, "addTotal" | "count">;
  readonly items: Pick<ItemRepository, "add">;
  readonly transactor: Transactor;
  readonly sealer: Sealer;
  readonly clock: Pick<Clock, "now">;
  readonly settings: Pick<BatchSettings, "maxFileBytes" | "maxFileRows" | "maxRowChars" | "stepItems">;
};

const PIECE_BYTES = 16_384; // so many are parsed in one turn of the event loop

/**
 * Rows of a file become sub-tasks of a task that is `loading`, as they come and in bounded transactions. Rejects with
 * BATCH_FILE_INVALID, PAYLOAD_TOO_LARGE; what it has stored by then is the caller's to discard.
 */
export function registrationLoader({ tasks, items, transactor, sealer, clock, settings }: Parts) {
  function add(task: Task, pos: number, { nodeId, row, error }: ReadRegistration): void {
    const sealed = row && sealer.seal(JSON.stringify(row), sealContext(task.no, pos));
    const known = { target: nodeId, deviceNo: undefined, deviceId: undefined };
    items.add(task.no, pos, { ...known, sealed, error, endedAt: error && clock.now() });
  }

  async function store(task: Task, rows: readonly ReadRegistration[], from: number): Promise<void> {
    for (let start = 0; start < rows.length; start += settings.stepItems) {
      const some = rows.slice(start, start + settings.stepItems);
      await transactor.write(() => {
        for (const [at, row] of some.entries()) add(task, from + start + at, row);
        tasks.addTotal(task.no, some.length);
        const fail = some.filter(({ error }) => error).length;
        tasks.count(task.no, { waiting: 0, success: 0, fail, timeout: 0, expired: 0 });
      });
    }
  }

  return async function load(task: Task, csv: AsyncIterable<Uint8Array>): Promise<void> {
    const parser = csvParser(settings);
    let columns: readonly RegistrationColumn[] | undefined;
    let stored = 0;
    let bytes = 0;

    async function take(rows: readonly CsvRow[]): Promise<void> {
      let from = 0;
      if (!columns && rows[0]) {
        columns = readHeader(rows[0]);
        from = 1;
      }
      const known = columns ?? [];
      if (stored + rows.length - from > settings.maxFileRows)
        throw new CsvError(rows.at(-1)?.line ?? 0, `there are more than ${settings.maxFileRows} rows`);
      const read = rows.slice(from).map((row) => readRegistration(known, row));
      await store(task, read, stored);
      stored += read.length;
    }

    try {
      for await (const piece of piecesOf(csv)) {
        bytes += piece.length;
        if (bytes > settings.maxFileBytes)
          throw new DomainError("PAYLOAD_TOO_LARGE", { maxBytes: settings.maxFileBytes });
        await take(parser.push(piece));
        await nextTurn();
      }
      await take(parser.end());
    } catch (error) {
      throw error instanceof CsvError ? fileInvalid(error) : error;
    }
    if (stored === 0) throw fileInvalid(new CsvError(1, "there is no device in it"));
  };
}

async function* piecesOf(csv: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  for await (const chunk of csv)
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) yield chunk.subarray(at, at + PIECE_BYTES);
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve));

import { REGISTRY_MIGRATIONS, TELEMETRY_MIGRATIONS } from "../../migrations";
import { groupCommit } from "../platform/storage/group-commit";
import { type Durability, openDatabase, openForReading } from "../platform/storage/open-database";
import { startStorageWriter } from "../platform/storage/storage-writer";
import { type DataPaths, lockDataFolder } from "./data-folder";
import { completeRestore } from "./restore";

export type Storage = Awaited<ReturnType<typeof openStorage>>;

/** Takes the data folder for this process and opens both databases, each with its one writer. */
export async function openStorage(paths: DataPaths, durability: Durability) {
  await using opened = new AsyncDisposableStack();
  opened.defer(lockDataFolder(paths));
  completeRestore(paths); // one that was cut off between its moves

  const registry = openDatabase(paths.registry, { migrations: REGISTRY_MIGRATIONS, durability });
  opened.defer(() => registry.close());
  const transactor = groupCommit(registry);
  opened.defer(() => transactor.settled());

  openDatabase(paths.telemetry, { migrations: TELEMETRY_MIGRATIONS, durability }).close(); // the thread goes on with it
  const writer = await startStorageWriter(paths.telemetry, durability);
  opened.defer(() => writer.close());
  const telemetryReads = openForReading(paths.telemetry);
  opened.defer(() => telemetryReads.close());

  const open = opened.move();
  return { registry, transactor, telemetryReads, writer, close: () => open.disposeAsync() };
}

import { REGISTRY_MIGRATIONS } from "../../../../migrations";
import { eventBus } from "../../../platform/events";
import { secretsFrom } from "../../../platform/secrets";
import { groupCommit } from "../../../platform/storage/group-commit";
import { openDatabase } from "../../../platform/storage/open-database";
import { manualClock } from "../../../platform/testing/manual-clock";
import type { ApplicationEvents } from "../application";
import { type ApplicationSettings, openApplications } from "../open-applications";

const CHEAP_HASHES = { memoryKib: 64, passes: 1, maxConcurrent: 2, maxWaiting: 100 };

/** The capability on a real database in memory, with hashes that cost nothing; `restart` opens the same database again. */
export function openedApplications(settings: Partial<ApplicationSettings> = {}) {
  const clock = manualClock();
  const db = openDatabase(":memory:", { migrations: REGISTRY_MIGRATIONS });
  const secrets = secretsFrom(new Uint8Array(32).fill(1));
  const transactor = groupCommit(db);
  function open() {
    const events = eventBus<ApplicationEvents>();
    const parts = { db, transactor, events, secrets, clock, settings: { hashes: CHEAP_HASHES, ...settings } };
    return { events, ...openApplications(parts) };
  }
  return { clock, db, transactor, restart: open, ...open() };
}

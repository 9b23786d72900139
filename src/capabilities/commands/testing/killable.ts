import type { Database } from "bun:sqlite";
import { groupCommit, type Transactor } from "../../../platform/storage/group-commit";

const never = <T>() => new Promise<T>(() => {});

/**
 * A transactor whose process dies at its `killAt`th piece of work: `before` it is on disk, or `after`, when nobody has
 * been told yet. `commits` counts the pieces.
 */
export function killableTransactor(db: Database, killAt: number, when: "before" | "after", die: () => void) {
  const inner = groupCommit(db);
  let commits = 0;
  let isDead = false;
  const kill = () => {
    isDead = true;
    die();
  };
  const transactor: Transactor = {
    async write(work) {
      if (isDead) return never();
      const written = inner.write(() => {
        if (isDead) throw new Error("dead");
        commits += 1;
        const isLast = commits === killAt;
        if (isLast && when === "before") {
          kill();
          throw new Error("dead");
        }
        if (isLast) inner.afterCommit(kill); // first in the list: what the work asks for comes too late
        return work();
      });
      return written.then(
        (value) => (isDead ? never() : value),
        (error) => (isDead ? never() : Promise.reject(error)),
      );
    },
    afterCommit: (run) =>
      inner.afterCommit(() => {
        if (!isDead) run();
      }),
    settled: inner.settled,
  };
  return { transactor, commits: () => commits, isDead: () => isDead, kill };
}

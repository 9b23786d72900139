import type { SpecOf, TaskKind, TaskSpec } from "./task";
import type { TaskRepository } from "./task-repository";

const KEPT = 8;

/** Specifications of the tasks that are worked on: one may be as large as a request, and every step needs it. */
export function specCache(tasks: Pick<TaskRepository, "spec">) {
  const kept = new Map<number, TaskSpec>();
  return {
    of(taskNo: number): TaskSpec {
      const spec = kept.get(taskNo) ?? tasks.spec(taskNo);
      kept.delete(taskNo); // to the end of the line
      kept.set(taskNo, spec);
      const oldest = kept.keys().next().value;
      if (kept.size > KEPT && oldest !== undefined) kept.delete(oldest);
      return spec;
    },
    /** Throws when the task is of another kind. */
    ofKind<K extends TaskKind>(taskNo: number, kind: K): SpecOf<K> {
      const spec = this.of(taskNo);
      if (spec.kind !== kind) throw new Error(`task ${taskNo} is a ${spec.kind}, not a ${kind}`);
      return spec as SpecOf<K>;
    },
    forget: (taskNo: number): void => void kept.delete(taskNo),
  };
}
export type Specs = ReturnType<typeof specCache>;

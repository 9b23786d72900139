/** Runs what concerns one device one after the other; devices do not wait for each other. */
export function inTurn() {
  const last = new Map<number, Promise<unknown>>();
  return {
    /** Is anything running or waiting? */
    isBusy: (deviceNo: number): boolean => last.has(deviceNo),
    run<T>(deviceNo: number, work: () => Promise<T>): Promise<T> {
      const before = last.get(deviceNo);
      // What begins at once does so in this very turn.
      const mine = before === undefined ? work() : before.then(work, work);
      last.set(deviceNo, mine);
      const clear = () => {
        if (last.get(deviceNo) === mine) last.delete(deviceNo);
      };
      mine.then(clear, clear);
      return mine;
    },
  };
}
export type InTurn = ReturnType<typeof inTurn>;

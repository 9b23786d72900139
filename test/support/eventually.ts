/** Asks again until the answer fits, for what happens a moment later; throws with the last answer after `withinMs`. */
export async function eventually<T>(
  ask: () => Promise<T> | T,
  fits: (answer: T) => boolean,
  withinMs = 20_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (fits(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`still only: ${JSON.stringify(answer)}`);
    await Bun.sleep(20);
  }
}

import { expect, test } from "bun:test";
import { parseTopics } from "./custom-topics";

const TOPICS: [name: unknown, permission: unknown, refused: string | undefined][] = [
  ["reports", "publish", undefined],
  ["a/B_1/2", "both", undefined],
  ["a/+/c", "subscribe", undefined],
  ["a/#", "subscribe", undefined],
  ["#", "subscribe", undefined],
  ["x".repeat(64), "publish", undefined],
  ["x".repeat(65), "publish", "$[0].name"],
  ["", "publish", "$[0].name"],
  [7, "publish", "$[0].name"],
  ["a/+", "publish", "$[0].name"],
  ["a/#", "both", "$[0].name"],
  ["a/#/b", "subscribe", "$[0].name"],
  ["a+", "subscribe", "$[0].name"],
  ["a//b", "publish", "$[0].name"],
  ["/a", "publish", "$[0].name"],
  ["a-b", "publish", "$[0].name"],
  ["$oc", "publish", "$[0].name"],
  ["ä", "publish", "$[0].name"],
  ["a", "all", "$[0].permission"],
];
for (const [name, permission, refused] of TOPICS) {
  test(`${JSON.stringify(name)} to ${permission}: ${refused ?? "taken"}`, () => {
    const run = () => parseTopics([{ name, permission, description: "" }]);
    if (refused === undefined) expect(run()).toEqual([{ name, permission, description: undefined } as never]);
    else
      expect(run).toThrow(
        expect.objectContaining({ code: "TOPIC_INVALID", details: expect.objectContaining({ path: refused }) }),
      );
  });
}

test("at most ten topics, each once", () => {
  const topics = (count: number) =>
    Array.from({ length: count }, (_, index) => ({ name: `t${index}`, permission: "both" }));
  expect(parseTopics(topics(10))).toHaveLength(10);
  expect(() => parseTopics(topics(11))).toThrow();
  expect(() => parseTopics([...topics(2), ...topics(1)])).toThrow();
  expect(() => parseTopics({})).toThrow();
});

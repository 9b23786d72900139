import { describe, expect, test } from "bun:test";
import { fuzzSeed, Random } from "../testing/random";
import { hasWildcard, isTopicFilter, isTopicName, matches } from ".";

const NAMES: [topic: string, name: boolean, filter: boolean][] = [
  ["a", true, true],
  ["/", true, true],
  ["/a//b/", true, true],
  ["with space", true, true],
  ["$SYS/a", true, true],
  ["温度/😀", true, true],
  ["", false, false], // [MQTT-4.7.3-1]
  ["a\0b", false, false], // [MQTT-4.7.3-2]
  ["\ud800", false, false],
  ["x".repeat(65_535), true, true],
  ["x".repeat(65_536), false, false], // [MQTT-4.7.3-3]
  ["é".repeat(32_768), false, false],
  ["#", false, true],
  ["a/#", false, true],
  ["/#", false, true],
  ["a#", false, false], // [MQTT-4.7.1-2]
  ["a/b#", false, false],
  ["a/#/b", false, false],
  ["#/", false, false],
  ["##", false, false],
  ["+", false, true],
  ["+/+/+", false, true],
  ["/+/", false, true],
  ["+/a/#", false, true],
  ["a+", false, false], // [MQTT-4.7.1-3]
  ["+a", false, false],
  ["++", false, false],
  ["a/+b/c", false, false],
  ["+#", false, false],
];

test.each(NAMES)("%p: name %p, filter %p", (topic, name, filter) => {
  expect([isTopicName(topic), isTopicFilter(topic)]).toEqual([name, filter]);
});

const MATCHES: [filter: string, topic: string, expected: boolean][] = [
  ["a/b", "a/b", true],
  ["a/b", "a/B", false],
  ["a/b", "a/bc", false],
  ["a/b", "a/b/", false],
  ["a/b/", "a/b", false],
  ["a", "/a", false],
  ["sport/tennis/player1/#", "sport/tennis/player1", true],
  ["sport/tennis/player1/#", "sport/tennis/player1/ranking", true],
  ["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true],
  ["sport/tennis/player1/#", "sport/tennis/player12", false],
  ["sport/#", "sport", true],
  ["sport/#", "sport/", true],
  ["sport/#", "sports", false],
  ["#", "a/b/c", true],
  ["#", "/", true],
  ["/#", "/", true],
  ["/#", "a", false],
  ["sport/tennis/+", "sport/tennis/player1", true],
  ["sport/tennis/+", "sport/tennis/player1/ranking", false],
  ["sport/+", "sport", false],
  ["sport/+", "sport/", true],
  ["+/+", "/finance", true],
  ["/+", "/finance", true],
  ["+", "/finance", false],
  ["+/tennis/#", "sport/tennis", true],
  ["a/+/c", "a//c", true],
  ["a//c", "a//c", true],
  ["a/+/+/#", "a/b", false],
  ["#", "$SYS/a", false], // [MQTT-4.7.2-1]
  ["+/monitor/Clients", "$SYS/monitor/Clients", false],
  ["$SYS/#", "$SYS/", true],
  ["$SYS/monitor/+", "$SYS/monitor/Clients", true],
  ["+/$a", "b/$a", true], // only at the start
  ["$oc/devices/d/sys/commands/#", "$oc/devices/d/sys/commands/response/request_id=1", true],
];

describe("matches", () => {
  test.each(MATCHES)("%p, %p: %p", (filter, topic, expected) => expect(matches(filter, topic)).toBe(expected));

  test(`agrees with the plain definition (seed ${fuzzSeed})`, () => {
    const random = new Random(fuzzSeed);
    for (let round = 0; round < 20_000; round++) {
      const topic = random.list(4, () => random.oneOf(["", "a", "b", "$a"])).join("/") || "/";
      const levels = random.list(4, () => random.oneOf(["", "a", "b", "$a", "+"]));
      const filter = (random.flip() ? levels : [...levels, "#"]).join("/") || "#";
      if (matches(filter, topic) !== matchesPlainly(filter, topic)) throw new Error(`${filter} and ${topic}`);
    }
  });
});

test("tells filters with a wildcard", () => {
  expect(["a/b", "a/+", "#"].map(hasWildcard)).toEqual([false, true, true]);
});

function matchesPlainly(filter: string, topic: string): boolean {
  if (topic.startsWith("$") && /^[+#]/.test(filter)) return false;
  const wanted = filter.split("/");
  const levels = topic.split("/");
  const open = wanted.at(-1) === "#";
  if (open) wanted.pop();
  const fits = open ? levels.length >= wanted.length : levels.length === wanted.length;
  return fits && wanted.every((level, index) => level === "+" || level === levels[index]);
}

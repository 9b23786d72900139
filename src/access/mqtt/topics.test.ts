import { expect, test } from "bun:test";
import { parseFilter, parsePublishTopic, reachesCustomTopic } from "./topics";

test.each([
  ["/huawei/v1/devices/p_n/data/json", { kind: "data", id: "p_n", codecMode: "json" }],
  ["/huawei/v1/devices/p_n/data/binary", { kind: "data", id: "p_n", codecMode: "binary" }],
  ["/huawei/v1/devices/a/b/data/json", { kind: "data", id: "a/b", codecMode: "json" }],
  ["/huawei/v1/devices/x/data/json/data/json", { kind: "data", id: "x/data/json", codecMode: "json" }],
  ["/islet/v1/devices/p_n/sub-devices/request", { kind: "subDevices", id: "p_n" }],
  ["$oc/devices/p_n/sys/events/up", { kind: "event", id: "p_n" }],
  ["$oc/devices/p_n/user/up", { kind: "custom", id: "p_n", name: "up" }],
  ["$oc/devices/p_n/user/a/b", { kind: "custom", id: "p_n", name: "a/b" }],
] as const)("a device may publish to %s", (topic, target) => expect(parsePublishTopic(topic)).toEqual(target));

test.each([
  "/huawei/v1/devices//data/json",
  "/huawei/v1/devices/data/json",
  "/huawei/v1/devices/p_n/data/xml",
  "/huawei/v1/devices/p_n/data/json/",
  "/huawei/v1/devices/p_n/command/json",
  "huawei/v1/devices/p_n/data/json",
  "/islet/v1/devices//sub-devices/request",
  "/islet/v1/devices/p_n/sub-devices/response",
  "/islet/v1/devices/p_n/data/json",
  "$oc/devices//user/up",
  "$oc/devices/user/up",
  "$oc/devices/p_n/sys/up",
  "$oc/devices/p_n/sys/events/down",
  "$oc/devices//sys/events/up",
  "",
])("%p is no topic of a device", (topic) => expect(parsePublishTopic(topic)).toBeUndefined());

test.each([
  ["/huawei/v1/devices/p_n/command/json", { kind: "device", id: "p_n" }],
  ["/huawei/v1/devices/p_n/command/+", { kind: "device", id: "p_n" }],
  ["/huawei/v1/devices/p_n/#", { kind: "device", id: "p_n" }],
  ["/huawei/v1/devices/p_n/+/json", { kind: "device", id: "p_n" }],
  ["/islet/v1/devices/p_n/sub-devices/response", { kind: "device", id: "p_n" }],
  ["/islet/v1/devices/p_n/#", { kind: "device", id: "p_n" }],
  ["$oc/devices/p_n/sys/events/down", { kind: "device", id: "p_n" }],
  ["$oc/devices/p_n/sys/#", { kind: "device", id: "p_n" }],
  ["$oc/devices/p_n/user/#", { kind: "custom", id: "p_n", name: "#" }],
] as const)("%s reaches one device", (filter, scope) => expect(parseFilter(filter)).toEqual(scope));

test.each([
  "#",
  "+/v1/devices/p_n/#",
  "/huawei/v1/devices/#",
  "/islet/v1/devices/+/sub-devices/response",
  "/islet/v1/devices/#",
  "/huawei/v1/devices/+/command/json",
  "/huawei/v1/devices/+/#",
  "/huawei/v1/+/p_n/command/json",
  "/huawei/v1/devices/a/+/command/json",
  "$oc/devices/+/user/up",
  "$oc/#",
  "$oc/devices/+/sys/events/down",
  "$oc/devices/p_n/#",
  "$oc/devices//sys/#",
  "/huawei/v1/devices/p_n",
])("%s reaches more than one device, or nothing of one", (filter) => expect(parseFilter(filter)).toBeUndefined());

test.each([
  ["down", ["down"], true],
  ["#", ["down"], true],
  ["+", ["down"], true],
  ["a/+", ["a/b"], true],
  ["a/b", ["a/#"], true],
  ["a/#", ["a/#"], true],
  ["up", ["down"], false],
  ["#", [], false],
  ["b/+", ["a/b"], false],
] as const)("%s among %p: %p", (name, allowed, expected) => expect(reachesCustomTopic(name, allowed)).toBe(expected));

import { expect, test } from "bun:test";
import { splitWrite } from "./resource-writes";

const everything = () => true;
const split = (serviceId: string, values: Record<string, unknown>, hasObject: (id: number) => boolean = everything) =>
  splitWrite({ serviceId, serviceType: serviceId }, values, hasObject);

const NAMED: [serviceId: string, property: string, path: string | undefined][] = [
  ["Device", "Timezone", "/3/0/15"],
  ["device", "UTC Offset", "/3/0/14"],
  ["DEVICE", "utcoffset", "/3/0/14"],
  ["Device", "UTC-Offset", "/3/0/14"],
  ["Device", "utc_offset", "/3/0/14"],
  ["Device", "14", "/3/0/14"],
  ["3", "14", "/3/0/14"],
  ["/3", "14", "/3/0/14"],
  ["/3/0", "Timezone", "/3/0/15"],
  ["Device", "Model Number", "/3/0/1"], // read-only by its definition: the device says no, not we
  ["Light Control", "On/Off", "/3311/0/5850"],
  ["LightControl", "onOff", "/3311/0/5850"],
  ["/3/1", "14", undefined], // only instance 0
  ["Device", "Reboot", undefined], // nothing to write
  ["Device", "4", undefined],
  ["LwM2M Security", "LwM2M Server URI", undefined], // not a server's business
  ["0", "0", undefined],
  ["Device", "99", undefined],
  ["Device", "Pump", undefined],
  ["99999", "1", undefined],
  ["Valve", "opening", undefined],
  ["", "", undefined],
];
test.each(NAMED)("%p, %p is %p", (serviceId, property, path) => {
  const { resource, message, unfit } = split(serviceId, { [property]: "1" });
  const [written] = resource?.node.resources ?? [];
  expect(written && `/${resource?.path.join("/")}/${written.id}`).toBe(path);
  expect(message).toEqual(path ? undefined : { [property]: "1" });
  expect(unfit).toEqual([]);
});

const VALUES: [resource: string, value: unknown, expected: unknown][] = [
  ["/3/0 14", "+01:00", { type: "string", value: "+01:00" }],
  ["/3/0 14", 7, { type: "string", value: "7" }],
  ["/3/0 14", true, { type: "string", value: "true" }],
  ["/3/0 14", { a: 1 }, undefined],
  ["/3/0 14", "\ud800", undefined],
  ["/3/0 13", 1_700_000_000, { type: "time", value: 1_700_000_000 }],
  ["/3/0 13", "1700000000", { type: "time", value: 1_700_000_000 }],
  ["/3/0 13", "20260102T030405Z", { type: "time", value: Date.UTC(2026, 0, 2, 3, 4, 5) / 1_000 }],
  ["/3/0 13", "tomorrow", undefined],
  ["/1/0 1", 86_400, { type: "integer", value: 86_400 }],
  ["/1/0 1", "-5", { type: "integer", value: -5 }],
  ["/1/0 1", 1.5, undefined],
  ["/1/0 1", true, undefined],
  ["/1/0 1", [], undefined],
  ["/1/0 17", -1, undefined], // unsigned
  ["/1/0 6", true, { type: "boolean", value: true }],
  ["/1/0 6", "FALSE", { type: "boolean", value: false }],
  ["/1/0 6", 1, { type: "boolean", value: true }],
  ["/1/0 6", "perhaps", undefined],
  ["/1/0 10", "10:3", { type: "objlnk", value: { objectId: 10, instanceId: 3 } }],
  ["/1/0 10", "10", undefined],
  ["/3308/0 5900", 21.5, { type: "float", value: 21.5 }],
  ["/3308/0 5900", "21.5", { type: "float", value: 21.5 }],
  ["/3308/0 5900", "warm", undefined],
  ["/5/0 0", "AAH/", { type: "opaque", value: new Uint8Array([0, 1, 255]) }],
  ["/5/0 0", "%", undefined],
];
test.each(VALUES)("%s takes %j as %j", (resource, value, expected) => {
  const [serviceId, name] = resource.split(" ") as [string, string];
  const result = split(serviceId, { [name]: value });
  const [written] = result.resource?.node.resources ?? [];
  if (expected === undefined) {
    expect(result.unfit).toEqual([{ name, reason: expect.stringMatching(/^value_unfit: ./) }]);
    expect([result.resource, result.message]).toEqual([undefined, undefined]);
  } else expect(written).toEqual({ kind: "resource", id: Number(name), value: expected } as never);
});

test("a resource with several values takes a list, or one value as its first", () => {
  const acl = (value: unknown) => split("2", { "2": value }).resource?.node.resources;
  const instance = (id: number, value: number) => ({
    kind: "resourceInstance" as const,
    id,
    value: { type: "integer" as const, value },
  });
  expect(acl(["1", "3"])).toEqual([{ kind: "multipleResource", id: 2, instances: [instance(0, 1), instance(1, 3)] }]);
  expect(acl(5)).toEqual([{ kind: "multipleResource", id: 2, instances: [instance(0, 5)] }]);
  expect(acl([])).toBeUndefined();
});

test("two properties with one resource: the first is written, the other is for the codec", () => {
  const { resource, message } = split("Device", { Timezone: "UTC", timezone: "CET" });
  expect([resource?.values, message]).toEqual([{ Timezone: "UTC" }, { timezone: "CET" }]);
});

test("the service type names the object too; of two objects with one name the device has one", () => {
  const { resource } = splitWrite({ serviceId: "Main", serviceType: "Device" }, { Timezone: "UTC" }, everything);
  expect(resource?.path).toEqual([3, 0]);
  const location = (objectId: number) => split("Location", { Timestamp: 1 }, (id) => id === objectId).resource?.path;
  expect([location(6), location(3336), location(3)]).toEqual([[6, 0], [3336, 0], undefined]);
});

/**
 * Wants one value after the other of a device until it is killed. Standard output tells, a line each: `wanted n` when
 * that is acknowledged, `got n` when the device has it. With `finish` nothing more is wanted: the device comes until
 * nothing is open, then `end` follows.
 * Usage: bun crash-child.ts <database> <first value> | finish
 */
import { writeSync } from "node:fs";
import { REGISTRY_MIGRATIONS } from "../../../../migrations";
import { openDatabase } from "../../../platform/storage/open-database";
import { scriptedDevices } from "./scripted-device";
import { shadowBench } from "./shadow-bench";

const [path = "", mode = ""] = process.argv.slice(2);
const db = openDatabase(path, { migrations: REGISTRY_MIGRATIONS, durability: "relaxed" });
// What was told, in the transactions in which it was told.
db.run("CREATE TABLE IF NOT EXISTS told (no INTEGER PRIMARY KEY, value INTEGER NOT NULL, status TEXT NOT NULL) STRICT");

const say = (line: string) => writeSync(1, `${line}\n`);
const turns = async (count: number) => {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
};
const devices = scriptedDevices();
devices.sleepingLink.transmit = async (_deviceNo, datagram) => {
  await turns(Math.floor(Math.random() * 5));
  const { paras } = JSON.parse(new TextDecoder().decode(datagram)) as { paras: { limit: number } };
  if (Math.random() < 0.3) return { kind: "noAcknowledgement" };
  say(`got ${paras.limit}`);
  await turns(Math.floor(Math.random() * 5));
  return Math.random() < 0.2 ? { kind: "noAcknowledgement" } : { kind: "acknowledged" };
};
const bench = await shadowBench({ db, devices, settings: { maxTries: 1_000 } });
bench.shadowEvents.on("desiredSettled", ({ properties, status }) => {
  db.run("INSERT INTO told (value, status) VALUES (?, ?)", [properties.limit as number, status]);
});
const device = bench.devices.findByNodeId("a") ?? (await bench.register("a", await bench.importModel()));

if (mode === "finish") {
  while (bench.openCount() > 0) await bench.heard(device.no);
  say("end");
  process.exit(0);
}
for (let value = Number(mode); ; value++) {
  await bench.desired.want(device, [{ serviceId: "Valve", desired: { limit: value } }]);
  say(`wanted ${value}`);
  for (let contact = Math.floor(Math.random() * 3); contact > 0; contact--) {
    bench.contactEvents.emit("deviceHeard", { deviceNo: device.no, hasMore: false });
    await turns(3);
  }
}

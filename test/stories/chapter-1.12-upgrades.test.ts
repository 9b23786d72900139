import { expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { outcome, PATHS } from "../support/integrator";
import { runIslet, startIslet, temporaryFolder } from "../support/islet";
import { setUpNbIot } from "../support/nb-iot";
import { DETECTOR, packageDesk, softwarePackage } from "../support/packages";
import { OLD_VERSION, UPGRADE_SETTINGS, upgradableDevice } from "../support/upgradable-device";

setDefaultTimeout(60_000);
type Page<T> = { data: T[]; totalCount: number };
type Package = { fileId: string; version: string; fileType: string };
type Task = { status: string; staResult: Record<string, number> };
type SubTask = { deviceId: string; status: string; detailInfo: string; extendPara: Record<string, string> };
const VERSION = "V1.1.0";
const NAMES = {
  deviceType: DETECTOR.deviceType,
  model: DETECTOR.model,
  manufacturerName: DETECTOR.manufacturerName,
};

/** 1.12: a house gets new software, and one detector will not have it. */
test("an installer signs and uploads a package, upgrades the detectors of a house, and reads which of them failed and why", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  const at = (name: string) => join(folder.path, name);
  const islet = async (...words: string[]) => {
    const { code, err } = await runIslet(words);
    expect([code, err]).toEqual([0, ""]);
  };
  // At the manufacturer: no server is needed.
  const content = Buffer.from("alarms that wake everybody ".repeat(200));
  writeFileSync(at("password"), "s3cret words\n");
  writeFileSync(at("detector.zip"), softwarePackage(VERSION, content, DETECTOR));
  await islet("sign", "keygen", folder.path, "--password-file", at("password"));
  await islet("sign", "sign", at("detector.zip"), "--key", at("private.pem"), "--password-file", at("password"));

  await using server = await startIslet({ data: at("data"), settings: UPGRADE_SETTINGS });
  const { manage, app, appId, register, productId } = await setUpNbIot(server, "installer");
  const desk = await packageDesk(server, { manage, appId }, readFileSync(at("public.pem"), "utf8"));
  const stored = await desk.upload(readFileSync(at("detector_signed.zip")), { fileType: "softwarePackage" });
  expect(stored.status).toBe(201);
  for (const notifyType of ["swUpgradeStateChangeNotify", "swUpgradeResultNotify"]) {
    const told = await app("POST", PATHS.managementSubscription, {
      notifyType,
      callbackUrl: receiver.url("/upgrades"),
    });
    expect(outcome(told)).toBe("200 ok");
  }

  // 1.12.1, 1.12.2: the application finds it by what it is for.
  const search = new URLSearchParams({ fileType: "softwarePackage", ...NAMES });
  const found = await app<Page<Package>>("GET", `${PATHS.packages}?${search}`);
  expect(found.body).toMatchObject({ totalCount: 1, data: [{ version: VERSION, protocolType: "LWM2M" }] });
  const { fileId = "" } = found.body.data[0] ?? {};
  expect((await app<Package>("GET", `${PATHS.packages}/${fileId}`)).body).toEqual(found.body.data[0] as Package);

  // A house of three; the battery of the one in the attic is low. A fourth detector is elsewhere.
  const homes = ["861234500000401", "861234500000402", "861234500000403", "861234500000404"];
  const ids: string[] = [];
  await using devices = new AsyncDisposableStack();
  const installed: string[][] = [];
  for (const [index, imei] of homes.entries()) {
    ids.push((await register(productId, imei)).deviceId);
    const device = devices.use(await upgradableDevice(server, imei, index === 2 ? "low-battery" : "good"));
    installed.push(device.installed);
  }
  const house = ids.slice(0, 3);
  const attic = ids[2];
  expect(outcome(await app("POST", PATHS.groups, { name: "House", deviceIds: house }))).toBe("200 ok");

  // 1.12.4: first without the names that a group needs, then as it should be.
  const order = (targets: object) =>
    app<{ operationId: string }>("POST", `${PATHS.upgrades}/softwareUpgrade`, {
      ...{ fileId, targets, policy: { executeType: "now", retryType: false } },
    });
  expect(outcome(await order({ deviceGroups: ["House"] }))).toBe("400 123019");
  expect(outcome(await order({ deviceGroups: ["House"], ...NAMES, model: "Else" }))).toBe("400 123016");
  const made = await order({ deviceGroups: ["House"], ...NAMES });
  expect(outcome(made)).toBe("200 ok");
  const { operationId } = made.body;

  // 1.12.6, 1.12.7: how many, and which.
  const { body: task } = await eventually(
    () => app<Task>("GET", `${PATHS.upgrades}/${operationId}`),
    ({ body }) => !["wait", "processing"].includes(body.status),
  );
  expect(task).toMatchObject({
    ...{ status: "failed", targets: { deviceGroups: ["House"], ...NAMES, devices: null } },
    staResult: { total: 3, wait: 0, processing: 0, success: 2, fail: 1, stop: 0, timeout: 0 },
  });
  const subTasks = async (status: string) =>
    (await app<Page<SubTask>>("GET", `${PATHS.upgrades}/${operationId}/subOperations?subOperationStatus=${status}`))
      .body;
  const good = await subTasks("success");
  expect(good.data.map(({ deviceId }) => deviceId).sort()).toEqual(house.slice(0, 2).sort());
  for (const { extendPara } of good.data)
    expect(extendPara).toMatchObject({ sourceVersion: OLD_VERSION, curVersion: VERSION, targetVersion: VERSION });
  expect(await subTasks("fail")).toMatchObject({
    totalCount: 1,
    data: [{ deviceId: attic, detailInfo: "low battery", extendPara: { curVersion: OLD_VERSION } }],
  });

  // The devices have it, byte for byte, and nobody else was touched.
  const sha256 = createHash("sha256").update(content).digest("hex");
  expect(installed).toEqual([[sha256], [sha256], [], []]);
  const versionOf = async (deviceId: string | undefined) =>
    (await app<{ deviceInfo: { swVersion: string | null } }>("GET", `${PATHS.devices}/${deviceId}`)).body.deviceInfo
      .swVersion;
  expect([await versionOf(ids[0]), await versionOf(attic), await versionOf(ids[3])]).toEqual([
    ...[VERSION, OLD_VERSION, null],
  ]);
  const results = () => receiver.received.filter(({ body }) => body.notifyType === "swUpgradeResultNotify");
  await eventually(results, ({ length }) => length === 3);
  const failed = results().filter(({ body }) => body.swUpgradeResult === "FAIL");
  expect(failed.map(({ body }) => body)).toMatchObject([{ deviceId: attic, operationId, description: "low battery" }]);

  // 1.12.8 by a device; 1.12.3 when nobody needs the package any more: what was done with it stays to be read.
  const ofAttic = await app<Page<{ operationId: string }>>("GET", `${PATHS.upgrades}?deviceId=${attic}`);
  expect(ofAttic.body).toMatchObject({ totalCount: 1, data: [{ operationId, status: "failed" }] });
  expect(outcome(await app("DELETE", `${PATHS.packages}/${fileId}`))).toBe("200 ok");
  expect(outcome(await app("GET", `${PATHS.packages}/${fileId}`))).toBe("404 123002");
  expect(outcome(await order({ devices: [attic] }))).toBe("404 123002");
  expect((await app<Task>("GET", `${PATHS.upgrades}/${operationId}`)).body).toEqual(task);
});

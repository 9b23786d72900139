import { expect, setDefaultTimeout, test } from "bun:test";
import { CODES } from "../../src/wire/coap";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";
import { answer, bytes, level, login, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
const IMEI = "861234500000017";

test.each(["lwm2m", "tup"] as const)(
  "a %s device registers, reports and answers a command that waited for it",
  async (style) => {
    using folder = temporaryFolder();
    await using islet = await startIslet({ data: folder.path });
    using receiver = startCallbackReceiver();
    const it = await setUpNbIot(islet);
    const { deviceId } = await it.register(it.productId, IMEI);
    for (const notifyType of ["bindDevice", "deviceDataChanged"])
      await it.app("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType, callbackUrl: receiver.url("/n") });

    // Cached while the device is not there.
    const created = await it.command(deviceId, 7, { callbackUrl: receiver.url("/c") });
    expect([created.status, created.body.status]).toEqual([201, "PENDING"]);

    using device = await plainDevice(islet, { ep: IMEI, style });
    expect(await device.register()).toBe(style === "tup" ? CODES.changed : CODES.created);
    expect(await receiver.until((body) => body.notifyType === "bindDevice")).toMatchObject({
      deviceId,
      resultCode: "succeeded",
    });
    await device.until(() => device.commands.length === 1);
    const command = readAlarm(device.commands[0] as Uint8Array);
    expect(command).toEqual({ mid: 1, value: 7 });
    expect((await device.report(answer(command.mid, 0, 1)))?.code).toBe(CODES.empty);
    await receiver.until((body) => (body.result as { resultCode?: string })?.resultCode === "SUCCESSFUL");
    const told = receiver.received
      .filter(({ path }) => path === "/c")
      .map(({ body }) => (body.result as { resultCode: string }).resultCode);
    expect(told).toEqual(["SENT", "DELIVERED", "SUCCESSFUL"]);

    expect((await device.report(level(258)))?.code).toBe(CODES.empty);
    expect(await it.history(deviceId)).toEqual([{ level: 258 }]);
    expect(await receiver.until((body) => body.notifyType === "deviceDataChanged")).toMatchObject({
      service: { serviceId: "Smoke", data: { level: 258 } },
    });
    expect(await it.status(deviceId)).toBe("ONLINE");
  },
);

test("commands go out one after the other, in the order in which they were created", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet);
  const { deviceId } = await it.register(it.productId, IMEI);
  using device = await plainDevice(islet, { ep: IMEI });
  for (let value = 1; value <= 5; value++) await it.command(deviceId, value);
  await device.register();
  await device.until(() => device.commands.length === 5);
  expect(device.commands.map((it) => readAlarm(it).value)).toEqual([1, 2, 3, 4, 5]);
  for (const command of device.commands) {
    const { mid, value } = readAlarm(command);
    await device.report(answer(mid, value === 3 ? 1 : 0, value));
  }
  const statuses = (await it.commands(deviceId)).map(({ status }) => status);
  expect(statuses).toEqual(["SUCCESSFUL", "SUCCESSFUL", "FAILED", "SUCCESSFUL", "SUCCESSFUL"]);
});

test("a device keeps its registration over a crash of the platform, and over a change of its address", async () => {
  using folder = temporaryFolder();
  let islet = await startIslet({ data: folder.path });
  const { coap } = islet.ready;
  const it = await setUpNbIot(islet);
  const { deviceId } = await it.register(it.productId, IMEI);
  using device = await plainDevice(islet, { ep: IMEI });
  await device.register();
  await device.report(level(1));
  await islet.crash();
  islet = await startIslet({ data: folder.path, settings: { "coap.listen": coap } });
  await using _ = islet;
  await device.report(level(2));
  await device.move();
  await device.report(level(3));
  expect((await device.update()).code).toBe(CODES.changed);
  const observations = device.requests.filter(({ path }) => path === "/19/0/0");
  expect(observations).toHaveLength(1);
  const again = await login(islet, it.appId, it.secret);
  expect((await again.history(deviceId)).map(({ level }) => level)).toEqual([3, 2, 1]);
  // What is sent down finds the new address.
  await again.command(deviceId, 9);
  await device.until(() => device.commands.length === 1);
});

test("what a device may not do is refused, and the operator can read why", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet);
  await it.register(it.productId, "secure-1", { isSecure: true });
  using stranger = await plainDevice(islet, { ep: "nobody" });
  using secure = await plainDevice(islet, { ep: "secure-1" });
  expect([await stranger.register(), await secure.register()]).toEqual([CODES.forbidden, CODES.forbidden]);
  const traces = await eventually(
    () => it.manage<{ items: { reason: string }[] }>("GET", "/trace?claimedId=nobody"),
    ({ body }) => body.items.length > 0,
  );
  expect(traces.body.items[0]?.reason).toBe("endpoint_unknown");
  // A token that nobody has given: RST, so that the device registers anew.
  expect((await stranger.report(level(1)))?.type).toBe("rst");
});

test("a report that the codec cannot read is acknowledged, and hurts nobody", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet);
  const { deviceId } = await it.register(it.productId, IMEI);
  using device = await plainDevice(islet, { ep: IMEI });
  await device.register();
  for (const broken of ["09", "0001", "00010203", "0105686565"]) {
    const ack = await device.report(bytes(broken));
    expect([broken, ack?.type]).toEqual([broken, "ack"]);
  }
  await device.report(bytes("010568656c6c6f"));
  expect(await it.history(deviceId)).toEqual([{ note: "hello" }]);
  const traces = await eventually(
    () => it.manage<{ items: { reason: string; kind: string }[] }>("GET", `/devices/${deviceId}/trace`),
    ({ body }) => body.items.filter(({ kind }) => kind === "report").length >= 4,
  );
  const reasons = traces.body.items.filter(({ kind }) => kind === "report").map(({ reason }) => reason);
  expect(reasons.toSorted()).toEqual(["bytes_left_over", "bytes_missing", "bytes_missing", "message_unknown"]);
});

test("resources are read, written, executed and observed through the management API", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpNbIot(islet);
  const { deviceId } = await it.register(it.productId, IMEI);
  const text = (value: string) => new TextEncoder().encode(value);
  const executed: string[] = [];
  using device = await plainDevice(islet, {
    ep: IMEI,
    answer(request, path) {
      if (path === "/3/0/3") return { code: CODES.content, payload: text("V1.0"), contentFormat: 0 };
      if (path === "/3/0/9")
        return {
          code: CODES.content,
          payload: text("87"),
          contentFormat: 0,
          ...(request.options.some((o) => o.number === 6) && { observe: 1 }),
        };
      if (path === "/5/0/1" || path === "/3/0/4") {
        executed.push(`${request.code} ${path} ${Buffer.from(request.payload).toString()}`);
        return { code: CODES.changed };
      }
      return { code: CODES.notFound };
    },
  });
  await device.register();
  const run = (body: object) =>
    it.manage<{ value?: unknown; code?: string }>("POST", `/devices/${deviceId}/resource-operations`, body);
  expect(await run({ op: "read", path: "/3/0/3" })).toMatchObject({ status: 200, body: { value: "V1.0" } });
  expect(await run({ op: "observe", path: "/3/0/9" })).toMatchObject({ status: 200, body: { value: 87 } });
  expect((await run({ op: "write", path: "/5/0/1", value: "coap://h/p" })).status).toBe(200);
  expect((await run({ op: "execute", path: "/3/0/4" })).status).toBe(200);
  expect(executed).toEqual([`${CODES.put} /5/0/1 coap://h/p`, `${CODES.post} /3/0/4 `]);
  expect(await run({ op: "read", path: "/4/0/2" })).toMatchObject({ status: 502, body: { code: "DEVICE_REFUSED" } });
  const tree = await it.manage("GET", `/devices/${deviceId}/resources`);
  expect(JSON.stringify(tree.body)).toContain("Firmware Version");
  const registration = await it.manage("GET", `/devices/${deviceId}/registration`);
  expect(registration.body).toMatchObject({ endpoint: IMEI, style: "lwm2m", lifetimeSeconds: 86_400 });
});

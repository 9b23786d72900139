import { expect, test } from "bun:test";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { CODES, encodeBlock, encodeMessage, option, pathOptions, queryOptions } from "../../src/wire/coap";
import { eventually } from "../support/eventually";
import { temporaryFolder } from "../support/islet";
import { answer, level, login, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";
import { restartingIslet } from "../support/restarting-islet";
import { secureDevice } from "../support/secure-device";

/**
 * SIGTERM while a command waits for its ACK and another behind it, an operator waits for devices, reports are on their
 * way, a handshake and a body in blocks are half done: the process ends, in time and well, and the next one goes on.
 */
test("SIGTERM with exchanges open ends within 10 s with 0, and all goes on", async () => {
  using folder = temporaryFolder();
  const settings = { "commands.retransmit_ms": "30000", "commands.ack_timeout_ms": "60000" };
  await using islet = await restartingIslet({ data: folder.path, settings });
  const it = await setUpNbIot(islet.islet);
  const random = seededRandom(1);

  const { deviceId } = await it.register(it.productId, "plain");
  let isDeaf = true;
  const executed: number[] = [];
  using device = await plainDevice(islet.islet, {
    ep: "plain",
    take(payload, copy, acknowledge) {
      const { mid, value } = readAlarm(payload);
      if (copy === 0) executed.push(value);
      if (isDeaf) return;
      acknowledge();
      void device.deliver(answer(mid, 0, value));
    },
  });
  await device.register();

  const silent = await it.register(it.productId, "silent");
  using silentDevice = await plainDevice(islet.islet, { ep: "silent", answer: () => undefined });
  await silentDevice.register();

  const secured = await it.register(it.productId, "secure", { isSecure: true });
  await using secure = secureDevice(islet.islet.ready.coaps, { device: secured, random });
  expect(await secure.register()).toBe(true);
  const late = await it.register(it.productId, "late", { isSecure: true });
  await using lateDevice = secureDevice(islet.islet.ready.coaps, { device: late, random, firstTimeoutMs: 300 });

  // Open exchanges, one after the other…
  for (const value of [1, 2]) expect((await it.command(deviceId, value)).status).toBe(201);
  await device.until(() => executed.length === 1);
  const operate = (of: string, body: object) => it.manage("POST", `/devices/${of}/resource-operations`, body);
  const operations = [
    operate(silent.deviceId, { op: "read", path: "/3/0/0" }),
    operate(silent.deviceId, { op: "read", path: "/3/0/1" }),
  ].map((operation) => operation.then(({ status }) => status).catch(() => 0));
  await silentDevice.until(() => silentDevice.requests.some(({ path }) => path === "/3/0/0"));
  silentDevice.send(
    encodeMessage({
      ...{
        type: "con",
        code: CODES.post,
        messageId: 7,
        token: Uint8Array.of(7),
        payload: new Uint8Array(64).fill(0x20),
      },
      options: [
        ...pathOptions("/rd"),
        ...queryOptions("lwm2m=1.0&ep=silent&lt=60"),
        option("block1", encodeBlock({ num: 0, more: true, size: 64 })),
      ],
    }),
  );
  // … and reports without end.
  let isOver = false;
  const taken = { plain: [] as number[], secure: [] as number[] };
  const loads = [
    (async () => {
      for (let value = 1; !isOver; value++) {
        expect((await device.deliver(level(value))).type).toBe("ack");
        taken.plain.push(value);
      }
    })(),
    (async () => {
      for (let value = 1; !isOver; value++) {
        expect(await secure.report(level(value))).toBe("accepted");
        taken.secure.push(value);
      }
    })(),
  ];
  await eventually(
    () => Math.min(taken.plain.length, taken.secure.length),
    (least) => least > 5,
  );
  const registering = lateDevice.register();

  const since = performance.now();
  expect(await islet.stop()).toBe(0);
  expect(performance.now() - since).toBeLessThan(10_000);
  isOver = true;
  expect(islet.islet.errors).not.toContain('"level":"error"');
  // Callers are not left hanging.
  for (const status of await Promise.all(operations)) expect([0, 502, 503, 504]).toContain(status);

  isDeaf = false;
  await islet.start();
  const api = await login(islet.islet, it.appId, it.secret);
  await Promise.all(loads); // the last reports of both were taken by the next process, if not by this one
  await device.deliver(level(0));
  await eventually(
    () => api.commands(deviceId),
    (commands) => commands.every(({ status }) => status === "SUCCESSFUL"),
  );
  expect(executed).toEqual([1, 2]);
  const levels = async (of: string) => new Set((await api.history(of)).map((data) => data.level as number));
  const [plain, sealed] = await Promise.all([levels(deviceId), levels(secured.deviceId)]);
  expect(taken.plain.filter((value) => !plain.has(value))).toEqual([]);
  expect(taken.secure.filter((value) => !sealed.has(value))).toEqual([]);
  expect(secure.handshakes).toEqual(["full"]);
  for (let isIn = await registering; !isIn; ) isIn = await lateDevice.register();
  expect(await lateDevice.report(level(1))).toBe("accepted");
  expect(await api.history(late.deviceId)).toEqual([{ level: 1 }]);
}, 60_000);

import { expect, test } from "bun:test";
import smokeDetectorCodec from "../../docs/examples/smoke-detector-codec.json" with { type: "json" };
import { CODES, type CoapMessage, decodeBlock, encodeBlock, OPTIONS, option } from "../../src/wire/coap";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { ADMIN_PASSWORD, temporaryFolder } from "../support/islet";
import type { Reply } from "../support/nb-device";
import { hex, level, login, plainDevice, setUpNbIot } from "../support/nb-iot";
import { restartingIslet } from "../support/restarting-islet";

const SHADOW = "/iocm/app/shadow/v1.5.0/devices/devices";
const settings = {
  // A device sleeps again soon, so that what is wanted waits for its next contact.
  "lwm2m.awake_ms": "500",
  "diagnosis.reboot_delay_ms": "300",
  "diagnosis.sweep_interval_ms": "50",
  "diagnosis.answer_within_ms": "4000",
  "push.retry_interval_ms": "100",
};

/** A detector whose alarm and whose UTC offset (a resource of object 3) can be wished for. */
const property = (propertyName: string, dataType: string, method: string) => ({ propertyName, dataType, method });
const PRODUCT = {
  devicetype: {
    devices: [
      {
        ...{ manufacturerId: "ACME", manufacturerName: "Acme", model: "Detector2", deviceType: "Detector" },
        protocolType: "LWM2M",
        omCapability: { fwUpgradeCapability: { supportUpgrade: true, upgradeProtocolType: "LWM2M" } },
        serviceTypeCapabilities: ["Smoke", "Device"].map((serviceId) => ({
          ...{ serviceId, serviceType: serviceId, option: "Mandatory" },
        })),
      },
    ],
  },
  servicetypes: [
    {
      services: [
        {
          serviceType: "Smoke",
          commands: [{ commandName: "SET_PROPERTIES", paras: [{ paraName: "alarm", dataType: "int", max: 255 }] }],
          properties: [
            { ...property("level", "int", "R"), max: 65_535 },
            { ...property("alarm", "int", "RW"), max: 255 },
          ],
        },
      ],
    },
    {
      services: [{ serviceType: "Device", properties: [{ ...property("utcOffset", "string", "RW"), maxLength: 16 }] }],
    },
  ],
};
const CODEC = {
  kind: "messages",
  messages: [
    smokeDetectorCodec.messages.find(({ name }) => name === "smokeinfo"),
    {
      ...{ type: "commandDelivery", name: "set_properties", serviceId: "Smoke", command: "SET_PROPERTIES" },
      fields: [
        { name: "messageId", dataType: "int8u", mark: "messageId", default: "0x6" },
        { name: "alarm", dataType: "int8u", link: { parameter: "alarm" } },
      ],
    },
  ],
};
const LOG = new TextEncoder().encode("attached, RSRP -92 dBm, SNR 12\n".repeat(80));
const LOG_BLOCK = 1_024;

type Task = { taskId: string; kind: string; state: string; reason?: string; sentAt?: string; logBytes?: number };
type Api = Awaited<ReturnType<typeof login>>;

/** What the device does with a request that is not the observation of its reports. */
type Conduct =
  | "answer"
  /** Does it, and its acknowledgement gets lost. */
  | "keepSilent"
  /** Of a log: answers its first block only. */
  | "firstBlock";

test("wishes, restarts and logs go on where they were through kill -9", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await restartingIslet({ data: folder.path, settings });
  const { appId, secret, ...first } = await setUpNbIot(islet.islet);
  let api: Api = first;
  const made = await api.manage<{ productId: string }>("POST", `/apps/${appId}/products`, PRODUCT);
  expect(made).toMatchObject({ status: 201 });
  const { productId } = made.body;
  expect((await api.manage("PUT", `/products/${productId}/codec`, CODEC)).status).toBe(200);
  const notifyType = "deviceDesiredPropertiesModifyStatusChanged";
  await api.app("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType, callbackUrl: receiver.url("/n") });

  using devices = new DisposableStack();
  async function add(name: string) {
    const { deviceId } = await api.register(productId, name);
    let conduct: Conduct = "answer";
    let arrived: (() => void) | undefined;
    /** Each request once: copies have the same message id. */
    const done: string[] = [];
    const seen = new Set<number>();
    const device = devices.use(
      await plainDevice(islet.islet, {
        ep: name,
        links: "</1/0>,</3/0>,</19/0>,</19/1>,</20/0>",
        answer(request, path) {
          if (!islet.isRunning) return undefined;
          if (!seen.has(request.messageId)) done.push(`${path} ${hex(request.payload)}`.trim());
          seen.add(request.messageId);
          const isFirst = blockOf(request).num === 0;
          const reply =
            conduct === "keepSilent" || (conduct === "firstBlock" && !isFirst) ? undefined : act(request, path);
          if (conduct !== "firstBlock" || !isFirst) arrived?.();
          return reply;
        },
      }),
    );
    await device.register();
    return {
      ...{ name, deviceId, done },
      contact: () => device.deliver(level(1)),
      /** From now on; resolves with the next request (of a log: with the second). */
      behave(next: Conduct): Promise<void> {
        conduct = next;
        const { promise, resolve } = Promise.withResolvers<void>();
        arrived = resolve;
        return promise;
      },
      task: async (kind: "reboot" | "collectLog") => {
        const created = await api.manage<Task>("POST", `/devices/${deviceId}/diagnosis-tasks`, { kind });
        expect(created).toMatchObject({ status: 201, body: { state: "Waiting" } });
      },
      async newestTask(): Promise<Task> {
        const { body } = await api.manage<{ items: Task[] }>("GET", `/devices/${deviceId}/diagnosis-tasks`);
        return body.items[0] as Task;
      },
      async want(serviceId: string, desired: Record<string, unknown>) {
        const put = await api.app("PUT", `${SHADOW}/${deviceId}`, { serviceDesireds: [{ serviceId, desired }] });
        expect(put.status).toBe(200);
      },
      /** What was told of it: each message once. */
      told() {
        const own = receiver.received.filter(({ body }) => body.deviceId === deviceId);
        const messages = new Map(own.map(({ headers, body }) => [headers.get("x-islet-message"), body]));
        return [...messages.values()].map(({ properties, status }) => ({ properties, status }));
      },
      async asleep() {
        await eventually(
          () => api.manage<{ listening: boolean }>("GET", `/devices/${deviceId}/registration`),
          ({ body }) => !body.listening,
        );
      },
    };
  }
  type Device = Awaited<ReturnType<typeof add>>;
  const addAll = <const T extends string>(...names: T[]) =>
    Promise.all(names.map(async (name) => [name, await add(name)] as const)).then(
      (added) => Object.fromEntries(added) as Record<T, Device>,
    );
  async function restart(): Promise<void> {
    await islet.start();
    api = await login(islet.islet, appId, secret);
  }
  const ended = (it: Device) =>
    eventually(
      async () => {
        await it.contact();
        return it.newestTask();
      },
      ({ state }) => state === "Success" || state === "Fail",
    );
  const isReady = (it: Device) => eventually(it.newestTask, ({ state }) => state === "Processing");
  const settled = (it: Device, count: number) =>
    eventually(
      async () => {
        await it.contact();
        return it.told();
      },
      (told) => told.length >= count,
    );
  async function logOf(it: Device): Promise<Uint8Array> {
    const { taskId } = await it.newestTask();
    const base = `http://${islet.islet.ready.http}/manage/v1`;
    const signIn = { method: "POST", headers: { "content-type": "application/json" } };
    const body = JSON.stringify({ username: "admin", password: ADMIN_PASSWORD });
    const { token } = (await (await fetch(`${base}/sessions`, { ...signIn, body })).json()) as { token: string };
    const headers = { authorization: `Bearer ${token}` };
    const log = await fetch(`${base}/devices/${it.deviceId}/diagnosis-tasks/${taskId}/log`, { headers });
    expect(log.status).toBe(200);
    return log.bytes();
  }
  const delivered = (properties: object) => ({ properties, status: "DELIVERED" });

  const at = await addAll(
    "created",
    "ready",
    "log",
    "resource",
    "codec",
    "lost",
    "halfLog",
    "lostResource",
    "lostCodec",
  );
  const acked = await addAll("acked", "ackedResource", "ackedCodec", "changed");
  for (const it of [...Object.values(at), ...Object.values(acked)]) await it.asleep();

  // What waits when the process dies goes on.
  await at.created.task("reboot");
  await at.ready.task("reboot");
  await at.log.task("collectLog");
  await at.resource.want("Device", { utcOffset: "+01:00" });
  await at.codec.want("Smoke", { alarm: 7 });
  await isReady(at.ready);
  await islet.kill();
  await restart();
  expect(Object.values(at).flatMap(({ done }) => done)).toEqual([]);
  for (const it of [at.created, at.ready]) {
    expect(await isReady(it)).toMatchObject({ state: "Processing" });
    expect(await ended(it)).toMatchObject({ kind: "reboot", state: "Success", sentAt: expect.any(String) });
    expect(it.done).toEqual(["/3/0/4"]);
  }
  expect(await ended(at.log)).toMatchObject({ kind: "collectLog", state: "Success", logBytes: LOG.length });
  expect(await logOf(at.log)).toEqual(LOG);
  expect(await settled(at.resource, 1)).toEqual([delivered({ utcOffset: "+01:00" })]);
  expect(at.resource.done).toHaveLength(1);
  expect(await settled(at.codec, 1)).toEqual([delivered({ alarm: 7 })]);
  expect(at.codec.done).toEqual(["/19/1/0 0607"]);

  // The device has done it, and the platform dies before it hears that.
  for (const it of [at.lost, at.halfLog, at.lostResource, at.lostCodec]) await it.asleep();
  await at.lost.task("reboot");
  await at.halfLog.task("collectLog");
  await at.lostResource.want("Device", { utcOffset: "+02:00" });
  await at.lostCodec.want("Smoke", { alarm: 8 });
  await isReady(at.lost);
  const reached = [
    at.lost.behave("keepSilent"),
    at.halfLog.behave("firstBlock"),
    at.lostResource.behave("keepSilent"),
    at.lostCodec.behave("keepSilent"),
  ];
  for (const it of [at.lost, at.halfLog, at.lostResource, at.lostCodec]) await it.contact();
  await Promise.all(reached);
  await islet.kill();
  for (const it of [at.lost, at.halfLog, at.lostResource, at.lostCodec]) void it.behave("answer");
  await restart();
  expect(await ended(at.lost)).toMatchObject({ state: "Fail", reason: "no_answer" });
  expect(at.lost.done).toEqual(["/3/0/4"]); // not once more
  expect(await ended(at.halfLog)).toMatchObject({ state: "Fail", reason: "no_answer" });
  await at.halfLog.task("collectLog");
  expect(await ended(at.halfLog)).toMatchObject({ state: "Success" });
  expect(await logOf(at.halfLog)).toEqual(LOG);
  // Wishes can be written twice.
  expect(await settled(at.lostResource, 1)).toEqual([delivered({ utcOffset: "+02:00" })]);
  expect(at.lostResource.done).toHaveLength(2);
  expect(await settled(at.lostCodec, 1)).toEqual([delivered({ alarm: 8 })]);
  expect(at.lostCodec.done).toEqual(["/19/1/0 0608", "/19/1/0 0608"]);

  // The acknowledgement is on its way when the platform dies: it may have been heard or not.
  for (const it of Object.values(acked)) await it.asleep();
  await acked.acked.task("reboot");
  await isReady(acked.acked);
  await acked.ackedResource.want("Device", { utcOffset: "+03:00" });
  await acked.ackedCodec.want("Smoke", { alarm: 9 });
  await acked.changed.want("Smoke", { alarm: 10 });
  const answered = Object.values(acked).map((it) => it.behave(it === acked.changed ? "keepSilent" : "answer"));
  for (const it of Object.values(acked)) void it.contact();
  await Promise.all(answered);
  await islet.kill();
  void acked.changed.behave("answer");
  await restart();
  await acked.changed.asleep();
  await acked.changed.want("Smoke", { alarm: 11 });
  const { state, reason } = await ended(acked.acked);
  expect([state, reason]).toEqual(state === "Success" ? ["Success", undefined] : ["Fail", "no_answer"]);
  expect(acked.acked.done).toEqual(["/3/0/4"]);
  expect(await settled(acked.ackedResource, 1)).toEqual([delivered({ utcOffset: "+03:00" })]);
  expect(await settled(acked.ackedCodec, 1)).toEqual([delivered({ alarm: 9 })]);
  expect((await settled(acked.changed, 1)).at(-1)).toEqual(delivered({ alarm: 11 }));
  expect(acked.changed.done).toEqual(["/19/1/0 060a", "/19/1/0 060b"]);

  // What has ended stays as it is, and nothing is sent for it any more.
  const everybody = [...Object.values(at), ...Object.values(acked)];
  const before = everybody.map(({ done, told }) => [done.length, told().length]);
  await islet.kill();
  await restart();
  for (const it of everybody) await it.contact();
  for (const it of everybody) await it.asleep();
  expect(everybody.map(({ done, told }) => [done.length, told().length])).toEqual(before);
  expect(await at.ready.newestTask()).toMatchObject({ state: "Success" });
  expect(await logOf(at.log)).toEqual(LOG);
}, 90_000);

const blockOf = ({ options }: CoapMessage) => {
  const found = options.find(({ number }) => number === OPTIONS.block2.number);
  const value = found ? Number.parseInt(hex(found.value) || "0", 16) : 0;
  return decodeBlock(value) ?? { num: 0, more: false, size: LOG_BLOCK as 1024 };
};

function act(request: CoapMessage, path: string): Reply {
  if (path !== "/20/0/4014") return { code: CODES.changed };
  const { num } = blockOf(request);
  const payload = LOG.slice(num * LOG_BLOCK, (num + 1) * LOG_BLOCK);
  const more = (num + 1) * LOG_BLOCK < LOG.length;
  const block = option("block2", encodeBlock({ num, more, size: LOG_BLOCK }));
  return { code: CODES.content, contentFormat: 42, payload, options: [block] };
}

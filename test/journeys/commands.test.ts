import { expect, setDefaultTimeout, test } from "bun:test";
import type { MqttClient } from "mqtt";
import { type Answer, application, type Setup, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, connectDevice, dataTopic } from "../support/device";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(20_000);

const CREATE = "/iocm/app/cmd/v1.4.0/deviceCommands";
const sendPath = (deviceId: string, serviceId = "Climate") =>
  `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/${serviceId}/sendCommand`;
const UTC = /^20\d{6}T\d{6}Z$/;

type Body = Record<string, unknown> & { error_code?: string };
type CloudReq = { msgType: string; serviceId: string; mid: number; cmd: string; paras: Record<string, unknown> };
type Command = {
  commandId: string;
  status: string;
  result: { resultCode: string; resultDetail: unknown } | null;
  platformIssuedTime: string | null;
  deliveredTime: string | null;
  executeTime: string | null;
};
type Commands = { pagination: { pageNo: number; pageSize: number; totalSize: number }; data: Command[] };

const outcome = ({ status, body }: Answer<Body>) => [status, body.error_code];
const signal = (header: object = {}, body: unknown = { target: 22 }) => ({
  header: { mode: "ACK", method: "SET_TARGET", ...header },
  body,
});
const commandsOf = async ({ app }: Pick<Setup, "app">, query: string) =>
  (await app<Commands>("GET", `${CREATE}?${query}`)).body;
const statusOf = async (it: Pick<Setup, "app">, deviceId: string, id: string) =>
  (await commandsOf(it, `deviceId=${deviceId}`)).data.find(({ commandId }) => commandId === id);

/** What the platform sent to a device, as it comes. */
function received(client: MqttClient) {
  const messages: { topic: string; qos: number; retain: boolean; body: CloudReq }[] = [];
  client.on(
    "message",
    (topic, payload, { qos, retain }) =>
      void messages.push({ topic, qos, retain, body: JSON.parse(payload.toString()) }),
  );
  return {
    messages,
    next: (count: number) =>
      eventually(
        () => messages.length,
        (length) => length >= count,
      ).then(() => messages[count - 1] as (typeof messages)[number]),
  };
}
/** It never acknowledges a message (and then hears nothing more, as MQTT.js waits for the end of this handler). */
const withoutAcks = (client: MqttClient) => Object.assign(client, { handleMessage: () => {} });
const answer = (client: MqttClient, deviceId: string, mid: number, errcode = 0, body?: object) =>
  client.publishAsync(
    dataTopic(deviceId),
    JSON.stringify({ msgType: "deviceRsp", mid, errcode, ...(body && { body }) }),
    { qos: 1 },
  );

test("sendCommand: every field, and every error of 1.9.7 that can be reached", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "commands.max_open_per_device": "2" } });
  const it = await setUp(islet);
  const other = await setUp(islet, "other");
  const registered = await it.register("commanded");
  const { deviceId } = registered;
  const send = (body: unknown, { path = sendPath(deviceId), app = it.app } = {}) => app<Body>("POST", path, body);

  expect(outcome(await send(signal()))).toEqual([200, "100428"]);
  const device = await connectDevice(islet, registered);
  const inbox = received(device);

  // Not subscribed: nothing can be sent to it.
  expect(await send(signal({ requestId: "unheard" }))).toMatchObject({
    status: 202,
    body: { status: "failed", requestId: "unheard" },
  });
  await device.subscribeAsync(commandTopic(deviceId), { qos: 1 });

  const before = Math.floor(Date.now() / 1_000) * 1_000;
  const sent = await send({
    header: {
      requestId: "r-1",
      mode: "ACK",
      from: "/users/1",
      toType: "GATEWAY",
      to: "/devices/x",
      method: "SET_TARGET",
    },
    body: { target: 22.5 },
  });
  expect(sent).toEqual({
    status: 202,
    body: { status: "sent", timestamp: expect.stringMatching(UTC), requestId: "r-1" },
  });
  const { timestamp } = sent.body as { timestamp: string };
  const sentAt = Date.parse(timestamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  expect(sentAt).toBeGreaterThanOrEqual(before);
  expect(sentAt).toBeLessThanOrEqual(Date.now());
  const message = await inbox.next(1);
  expect(message).toEqual({
    topic: commandTopic(deviceId),
    qos: 1,
    retain: false,
    body: {
      msgType: "cloudReq",
      serviceId: "Climate",
      mid: expect.any(Number),
      cmd: "SET_TARGET",
      paras: { target: 22.5 },
    },
  });
  expect(Object.keys(message.body)).toEqual(["msgType", "serviceId", "mid", "cmd", "paras"]);

  const made = await send({ header: { method: "SET_TARGET" }, body: { target: 5 } }); // mode and requestId left out
  expect(made.status).toBe(202);
  expect(made.body.requestId).toMatch(/./);
  expect((await inbox.next(2)).body.mid).not.toBe(message.body.mid);

  // Two are open: the third is too many, until one is answered.
  expect(outcome(await send(signal()))).toEqual([503, "100501"]);
  await answer(device, deviceId, message.body.mid, 0, { target: 22.5 });
  await answer(device, deviceId, inbox.messages[1]?.body.mid as number, 1);
  expect(await statusOf(it, deviceId, "r-1")).toMatchObject({
    status: "SUCCESSFUL",
    result: { resultCode: "SUCCESSFUL", resultDetail: { target: 22.5 } },
  });
  expect(await statusOf(it, deviceId, made.body.requestId as string)).toMatchObject({ status: "FAILED" });

  // NOACK: at most once, and nothing is awaited.
  expect(await send(signal({ mode: "NOACK", requestId: "once" }))).toMatchObject({
    status: 202,
    body: { status: "sent" },
  });
  expect((await inbox.next(3)).qos).toBe(0);
  expect(await statusOf(it, deviceId, "once")).toMatchObject({ status: "SENT", result: null });

  const refused: [body: unknown, status: number, code: string, path?: string][] = [
    [signal({ requestId: "r-1" }), 400, "100022"], // used before
    [signal({ requestId: "x".repeat(129) }), 400, "100022"],
    [signal({ mode: "PERHAPS" }), 400, "100022"],
    [signal({ method: "" }), 400, "100022"],
    [signal({ method: undefined }), 400, "100022"],
    [signal({ method: "x".repeat(33) }), 400, "100022"],
    [signal({ from: "x".repeat(129) }), 400, "100022"],
    [signal({ to: 5 }), 400, "100022"],
    [{ body: { target: 22 } }, 400, "100022"],
    [signal({}, "22"), 400, "100022"],
    [signal({}, {}), 400, "100022"], // target is required
    [signal({}, { target: 36 }), 400, "100022"],
    [signal({}, { target: "warm" }), 400, "100022"],
    [signal({}, { target: 22, more: 1 }), 400, "100022"],
    [signal({ method: "EXPLODE" }), 400, "102203"],
    [signal({ toType: "MOON" }), 404, "100444"],
    [signal(), 404, "100444", sendPath(deviceId, "Weather")],
    [signal(), 200, "100418", sendPath("nobody")],
    [signal(), 200, "100203", `${sendPath(deviceId)}?appId=nobody`],
    [signal(), 200, "100217", `${sendPath(deviceId)}?appId=${other.appId}`],
  ];
  for (const [body, status, code, path = sendPath(deviceId)] of refused) {
    expect([body, path, ...outcome(await send(body, { path }))]).toEqual([body, path, status, code]);
  }
  expect(outcome(await send(signal(), { app: other.app }))).toEqual([200, "100418"]);
  expect(inbox.messages).toHaveLength(3);

  // A command that was muted for the device.
  const muted = await it.manage("PATCH", `/devices/${deviceId}`, { mutedCommands: { Climate: ["SET_TARGET"] } });
  expect(muted.status).toBe(200);
  expect(outcome(await send(signal()))).toEqual([200, "100432"]);
  await it.manage("PATCH", `/devices/${deviceId}`, { mutedCommands: {} });
  expect((await send(signal({ mode: "NOACK" }))).status).toBe(202);

  await it.manage("PATCH", `/apps/${it.appId}`, { callsPerMinute: 1 });
  const throttled = await application(islet, it.appId, it.appSecret);
  await throttled("GET", CREATE);
  expect(outcome(await send(signal(), { app: throttled }))).toEqual([403, "1010009"]);
  expect(outcome(await send(signal()))).toEqual([403, "1010005"]); // the newer login voided the token
  await device.endAsync();
});

test("created commands (1.9.1) go out at once, tell their callback, and are queried (1.9.2)", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const registered = await it.register("commanded");
  const { deviceId } = registered;
  const command = { serviceId: "Climate", method: "SET_TARGET", paras: { target: 22 } };
  const create = (more: object = {}) => it.app<Body>("POST", CREATE, { deviceId, command, ...more });

  expect(outcome(await create())).toEqual([200, "100428"]);
  expect((await commandsOf(it, "")).pagination.totalSize).toBe(0); // a refused one leaves nothing behind
  const device = await connectDevice(islet, registered);
  const inbox = received(device);
  await device.subscribeAsync(commandTopic(deviceId), { qos: 1 });

  const created = await create({ callbackUrl: receiver.url("/c"), expireTime: 0, maxRetransmit: 3 });
  expect(created).toEqual({
    status: 201,
    body: {
      commandId: expect.stringMatching(/^.{1,64}$/),
      appId: it.appId,
      deviceId,
      command,
      callbackUrl: receiver.url("/c"),
      expireTime: 0,
      status: "SENT",
      creationTime: expect.stringMatching(UTC),
      executeTime: null,
      platformIssuedTime: expect.stringMatching(UTC),
      deliveredTime: null,
      issuedTimes: 1,
      maxRetransmit: 3,
    },
  });
  const { commandId } = created.body as { commandId: string };
  const told = (id: unknown, code: string) =>
    receiver.until((body) => body.commandId === id && (body.result as { resultCode: string }).resultCode === code);
  expect(await told(commandId, "DELIVERED")).toEqual({
    deviceId,
    commandId,
    result: { resultCode: "DELIVERED", resultDetail: null },
  });
  const { body: first } = await inbox.next(1);
  await answer(device, deviceId, first.mid, 0, { target: 22 });
  expect(await told(commandId, "SUCCESSFUL")).toEqual({
    deviceId,
    commandId,
    result: { resultCode: "SUCCESSFUL", resultDetail: { target: 22 } },
  });
  await answer(device, deviceId, first.mid, 1); // a second answer changes nothing
  expect(await statusOf(it, deviceId, commandId)).toMatchObject({
    status: "SUCCESSFUL",
    deliveredTime: expect.stringMatching(UTC),
    executeTime: expect.stringMatching(UTC),
  });

  const second = await create({ callbackUrl: receiver.url("/c") });
  expect(second.body).toMatchObject({ expireTime: 172_800, maxRetransmit: null });
  await answer(device, deviceId, (await inbox.next(2)).body.mid, 1, { target: 5 });
  expect(await told(second.body.commandId, "FAILED")).toMatchObject({ result: { resultDetail: { target: 5 } } });

  const refused: [more: object, status: number, code: string][] = [
    [{ callbackUrl: "http://127.0.0.1/x" }, 400, "100022"],
    [{ expireTime: -1 }, 400, "100022"],
    [{ maxRetransmit: 4 }, 400, "100022"],
    [{ command: { ...command, paras: undefined } }, 400, "100022"],
    [{ command: { ...command, paras: { target: 100 } } }, 400, "100022"],
    [{ command: undefined }, 400, "100022"],
    [{ command: { ...command, serviceId: "Weather" } }, 200, "100431"],
    [{ deviceId: "nobody" }, 200, "100418"],
  ];
  for (const [more, status, code] of refused)
    expect([more, ...outcome(await create(more))]).toEqual([more, status, code]);

  // Newest first, in pages; filters.
  for (let count = 0; count < 3; count++)
    await it.app("POST", sendPath(deviceId), signal({ mode: "NOACK", requestId: `s-${count}` }));
  const all = await commandsOf(it, "");
  expect(all.pagination).toEqual({ pageNo: 0, pageSize: 1_000, totalSize: 5 });
  expect(all.data.map((one) => one.commandId)).toEqual([
    "s-2",
    "s-1",
    "s-0",
    second.body.commandId as string,
    commandId,
  ]);
  const page = await commandsOf(it, "pageSize=2&pageNo=1");
  expect([page.pagination, page.data.map((one) => one.commandId)]).toEqual([
    { pageNo: 1, pageSize: 2, totalSize: 5 },
    ["s-0", second.body.commandId as string],
  ]);
  expect((await commandsOf(it, "startTime=20000101T000000Z&endTime=20000102T000000Z")).pagination.totalSize).toBe(0);
  expect((await commandsOf(it, "startTime=20000101T000000Z&endTime=20991231T000000Z")).pagination.totalSize).toBe(5);
  for (const [query, status, code] of [
    ["deviceId=nobody", 200, "100418"],
    ["pageSize=1001", 400, "100022"],
    ["pageSize=0", 400, "100022"],
    ["pageNo=-1", 400, "100022"],
    ["startTime=now", 400, "100022"],
    ["startTime=20260102T000000Z&endTime=20260101T000000Z", 400, "100022"],
    ["appId=nobody", 200, "100203"],
  ] as const)
    expect([query, ...outcome(await it.app<Body>("GET", `${CREATE}?${query}`))]).toEqual([query, status, code]);
  await device.endAsync();
});

test.each([0, 1, 2] as const)(
  "a device that subscribed with QoS %i gets commands so, and its answer counts",
  async (qos) => {
    using folder = temporaryFolder();
    using receiver = startCallbackReceiver();
    await using islet = await startIslet({ data: folder.path });
    const it = await setUp(islet);
    await it.app("POST", "/iocm/app/sub/v1.2.0/subscriptions", {
      notifyType: "messageConfirm",
      callbackUrl: receiver.url("/m"),
    });
    const registered = await it.register("commanded");
    const { deviceId } = registered;
    const device = await connectDevice(islet, registered);
    const inbox = received(device);
    await device.subscribeAsync(commandTopic(deviceId), { qos });
    await it.app("POST", sendPath(deviceId), signal({ requestId: "q" }));
    expect((await inbox.next(1)).qos).toBe(qos);
    const confirmed = () => receiver.received.map(({ body }) => (body.header as { status: string }).status);
    if (qos > 0) await eventually(confirmed, (told) => told.includes("delivered"));
    await answer(device, deviceId, inbox.messages[0]?.body.mid as number);
    await eventually(confirmed, (told) => told.includes("executed"));
    expect(confirmed()).toEqual(qos === 0 ? ["sent", "executed"] : ["sent", "delivered", "executed"]);
    await device.endAsync();
  },
);

test("commands to a sub-device go through its gateway, which answers for it", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  await it.app("POST", "/iocm/app/sub/v1.2.0/subscriptions", {
    notifyType: "commandRsp",
    callbackUrl: receiver.url("/r"),
  });
  const gateway = await it.register("gateway");
  const { body: sub } = await it.manage<{ deviceId: string }>("POST", `/apps/${it.appId}/devices`, {
    nodeId: "behind",
    gatewayId: gateway.deviceId,
    productId: it.productId,
  });
  const send = (requestId: string) =>
    it.app<Body>("POST", sendPath(sub.deviceId), signal({ requestId, from: "/users/1" }));
  expect(outcome(await send("a"))).toEqual([403, "100450"]);
  const client = await connectDevice(islet, gateway);
  const inbox = received(client);
  await client.subscribeAsync(commandTopic(sub.deviceId), { qos: 1 });
  expect(await send("a")).toMatchObject({ status: 202, body: { status: "sent", requestId: "a" } });
  const { topic, body } = await inbox.next(1);
  expect(topic).toBe(commandTopic(sub.deviceId));
  await answer(client, sub.deviceId, body.mid, 0, { target: 22 });
  expect(await receiver.until(() => true)).toMatchObject({
    header: {
      requestId: "a",
      deviceId: sub.deviceId,
      from: `/devices/${sub.deviceId}/services/Climate`,
      to: "/users/1",
    },
    body: { target: 22 },
  });
  await client.endAsync();
});

test("after kill -9 open commands end as told: what a kept session holds goes on, the rest has failed", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  let islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const create = (deviceId: string) =>
    it.app<{ commandId: string }>("POST", CREATE, {
      deviceId,
      command: { serviceId: "Climate", method: "SET_TARGET", paras: { target: 22 } },
      callbackUrl: receiver.url("/c"),
    });
  const told = (id: string, code: string) =>
    receiver.until((body) => body.commandId === id && (body.result as { resultCode: string }).resultCode === code);

  const names = ["transient", "delivered", "kept"];
  const devices = new Map(await Promise.all(names.map(async (name) => [name, await it.register(name)] as const)));
  const of = (name: string) => devices.get(name) as { deviceId: string; secret: string };
  // transient: clean session, never acknowledges. delivered: acknowledges, does not answer. kept: persistent session, never acknowledges.
  const clients = await Promise.all([
    connectDevice(islet, of("transient"), { clean: true }).then(withoutAcks),
    connectDevice(islet, of("delivered"), { clean: true }),
    connectDevice(islet, of("kept"), { clean: false }).then(withoutAcks),
  ]);
  const ids = new Map<string, string>();
  const mids: number[] = [];
  for (const [index, name] of names.entries()) {
    const client = clients[index] as MqttClient;
    await client.subscribeAsync(commandTopic(of(name).deviceId), { qos: 1 });
    const arrived = new Promise<number>((resolve) =>
      client.on("packetreceive", (packet) => {
        if (packet.cmd === "publish") resolve((JSON.parse(packet.payload.toString()) as CloudReq).mid);
      }),
    );
    const { status, body } = await create(of(name).deviceId);
    expect([name, status]).toEqual([name, 201]);
    ids.set(name, body.commandId);
    mids.push(await arrived);
  }
  await told(ids.get("delivered") as string, "DELIVERED");
  await islet.crash();
  for (const client of clients) client.end(true); // not awaited: the silent ones never come to their end

  islet = await startIslet({ data: folder.path });
  await using _ = islet;
  const app = await application(islet, it.appId, it.appSecret);
  const status = async (name: string) => await statusOf({ app }, of(name).deviceId, ids.get(name) as string);
  expect(await told(ids.get("transient") as string, "FAILED")).toMatchObject({
    result: { resultDetail: { reason: "platform_restarted" } },
  });
  expect(await status("transient")).toMatchObject({ status: "FAILED" });
  expect(await status("delivered")).toMatchObject({ status: "DELIVERED" });
  expect(await status("kept")).toMatchObject({ status: "SENT" });

  // What was delivered can still be answered; what the session kept comes again.
  const back = await connectDevice(islet, of("delivered"));
  await answer(back, of("delivered").deviceId, mids[1] as number, 0, { target: 22 });
  await told(ids.get("delivered") as string, "SUCCESSFUL");
  const inbox = Promise.withResolvers<CloudReq>();
  const again = await connectDevice(islet, of("kept"), { clean: false }, (client) =>
    client.on("message", (_topic, payload) => inbox.resolve(JSON.parse(payload.toString()))),
  );
  const body = await inbox.promise;
  expect(body.mid).toBe(mids[2] as number);
  await answer(again, of("kept").deviceId, body.mid, 0, { target: 22 });
  await told(ids.get("kept") as string, "SUCCESSFUL");
  await back.endAsync();
  await again.endAsync();
});

test("a command whose connection is lost, and one that is never answered, fail", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({
    data: folder.path,
    settings: { "commands.answer_timeout_ms": "600", "commands.sweep_interval_ms": "100" },
  });
  const it = await setUp(islet);
  const registered = await it.register("commanded");
  const { deviceId } = registered;
  const create = async () =>
    (
      await it.app<{ commandId: string }>("POST", CREATE, {
        deviceId,
        command: { serviceId: "Climate", method: "SET_TARGET", paras: { target: 22 } },
        callbackUrl: receiver.url("/c"),
      })
    ).body.commandId;
  const told = (id: string) =>
    receiver.until((body) => body.commandId === id && (body.result as { resultCode: string }).resultCode === "FAILED");
  const silent = async () => {
    const client = withoutAcks(await connectDevice(islet, registered));
    await client.subscribeAsync(commandTopic(deviceId), { qos: 1 });
    return client;
  };
  let client = await silent();
  const unanswered = await create();
  expect(await told(unanswered)).toMatchObject({ result: { resultDetail: { reason: "no_answer" } } });
  client.end(true);
  client = await silent();
  const lost = await create();
  client.stream.destroy();
  expect(await told(lost)).toMatchObject({ result: { resultDetail: { reason: "connection_lost" } } });
  client.end(true);
});

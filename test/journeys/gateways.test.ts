import { expect, setDefaultTimeout, test } from "bun:test";
import type { MqttClient } from "mqtt";
import { type Setup, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(30_000);

const DEVICES = "/iocm/app/dm/v1.4.0/devices";
const topic = (gateway: string, end: "request" | "response") => `/islet/v1/devices/${gateway}/sub-devices/${end}`;

/** A gateway with a command on which it removes a device. */
const GATEWAY_PRODUCT = {
  devicetype: {
    devices: [
      {
        ...{ manufacturerId: "Home", manufacturerName: "Home", model: "Gateway1", deviceType: "HomeGateway" },
        ...{ protocolType: "MQTT", omCapability: null },
        serviceTypeCapabilities: [{ serviceId: "Manage", serviceType: "Manage", option: "Mandatory" }],
      },
    ],
  },
  servicetypes: [
    {
      services: [
        {
          ...{ serviceType: "Manage", description: "", properties: null },
          commands: [
            {
              commandName: "REMOVE",
              paras: [
                {
                  paraName: "del_subdevice",
                  dataType: "string",
                  required: true,
                  maxLength: 3,
                  enumList: ["YES", "NO"],
                },
              ],
              responses: [],
            },
          ],
        },
      ],
    },
  ],
};

type Result = {
  errcode: number;
  error?: string;
  devices: { deviceId?: string; nodeId?: string; errcode: number; error?: string }[];
};
type Shown = { gatewayId: string; nodeType: string; deviceInfo: { status: string; statusDetail: string } };

async function setUpGateway(islet: Islet, it: Setup, nodeId: string) {
  const { manage, appId } = it;
  const product = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, GATEWAY_PRODUCT);
  const productId =
    product.body.productId ??
    (await manage<{ items: { productId: string; model: string }[] }>("GET", `/apps/${appId}/products`)).body.items.find(
      ({ model }) => model === "Gateway1",
    )?.productId;
  const made = await manage<{ deviceId: string; secret: string }>("POST", `/apps/${appId}/devices`, {
    nodeId,
    productId,
  });
  const { deviceId, secret } = made.body;
  const client = await connectDevice(islet, { deviceId, secret });
  const answers = new Map<number, (result: Result) => void>();
  client.on("message", (from, payload) => {
    if (from !== topic(deviceId, "response")) return;
    const result = JSON.parse(payload.toString()) as Result & { id: number };
    answers.get(result.id)?.(result);
  });
  await client.subscribeAsync(topic(deviceId, "response"));
  let last = 0;
  return {
    ...{ deviceId, secret, client },
    async ask(type: string, ...devices: object[]): Promise<Result> {
      const id = ++last;
      const answer = new Promise<Result>((resolve) => answers.set(id, resolve));
      await client.publishAsync(topic(deviceId, "request"), JSON.stringify({ id, type, devices }), { qos: 1 });
      return answer;
    },
  };
}
const shown = async ({ app }: Pick<Setup, "app">, deviceId: string) =>
  (await app<Shown>("GET", `${DEVICES}/${deviceId}`)).body;
const heard = (client: MqttClient, wanted: string) =>
  new Promise<{ mid: number; cmd: string }>((resolve) =>
    client.on("message", (from, payload) => from === wanted && resolve(JSON.parse(payload.toString()))),
  );

test("a gateway adds a device, tells its status, reports for it, takes its commands and removes it when told to", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path, settings: { "devices.online_grace_ms": "200" } });
  const it = await setUp(islet);
  const { app } = it;
  for (const notifyType of ["deviceAdded", "bindDevice", "deviceDataChanged", "deviceDeleted"])
    await app("POST", "/iocm/app/sub/v1.2.0/subscriptions", {
      notifyType,
      callbackUrl: receiver.url(`/${notifyType}`),
    });
  const gateway = await setUpGateway(islet, it, "gw-1");

  // What matches a product has it, what does not has none.
  const added = await gateway.ask(
    "add",
    { nodeId: "kitchen", name: "Kitchen", manufacturerId: "Example", model: "RoomSensor1" },
    { nodeId: "stranger", manufacturerId: "Nobody", model: "X" },
  );
  const deviceId = `${it.productId}_kitchen`;
  const stranger = added.devices[1]?.deviceId as string;
  expect(added).toMatchObject({
    errcode: 0,
    devices: [
      { deviceId, errcode: 0 },
      { nodeId: "stranger", errcode: 0 },
    ],
  });
  const told = await receiver.until((body) => body.notifyType === "deviceAdded" && body.deviceId === deviceId);
  expect(told).toMatchObject({ gatewayId: gateway.deviceId, deviceInfo: { status: "OFFLINE", name: "Kitchen" } });
  const { body: list } = await app<{ devices: { deviceId: string; gatewayId: string }[] }>(
    "GET",
    `${DEVICES}?gatewayId=${gateway.deviceId}`,
  );
  expect(list.devices.map((it) => it.deviceId).sort()).toEqual([deviceId, stranger, gateway.deviceId].sort());
  expect(new Set(list.devices.map(({ gatewayId }) => gatewayId))).toEqual(new Set([gateway.deviceId]));
  const { body: managed } = await it.manage<{ productId?: string }>("GET", `/devices/${stranger}`);
  expect(managed.productId).toBeUndefined();

  // Reports do not make it ONLINE; its gateway's word does.
  const { client } = gateway;
  await client.publishAsync(dataTopic(deviceId), report("Climate", { temperature: 21 }), { qos: 1 });
  expect(await receiver.until((body) => body.notifyType === "deviceDataChanged")).toMatchObject({
    ...{ deviceId, gatewayId: gateway.deviceId, service: { data: { temperature: 21 } } },
  });
  expect((await shown(it, deviceId)).deviceInfo).toMatchObject({ status: "OFFLINE", statusDetail: "NOT_ACTIVE" });
  expect(await gateway.ask("status", { nodeId: "kitchen", status: "ONLINE" })).toMatchObject({ errcode: 0 });
  expect((await shown(it, deviceId)).deviceInfo).toMatchObject({ status: "ONLINE", statusDetail: "NONE" });
  await receiver.until((body) => body.notifyType === "bindDevice" && body.deviceId === deviceId);

  // Commands and their answers.
  await client.subscribeAsync(commandTopic(deviceId), { qos: 1 });
  const command = heard(client, commandTopic(deviceId));
  const send = (id: string, service: string, body: object) =>
    app("POST", `/iocm/app/signaltrans/v1.1.0/devices/${id}/services/${service}/sendCommand`, body);
  expect((await send(deviceId, "Climate", { header: { method: "SET_TARGET" }, body: { target: 20 } })).status).toBe(
    202,
  );
  const { mid } = await command;
  await client.publishAsync(dataTopic(deviceId), JSON.stringify({ msgType: "deviceRsp", mid, errcode: 0 }), { qos: 1 });
  const { body: commands } = await app<{ data: { status: string }[] }>(
    "GET",
    `/iocm/app/cmd/v1.4.0/deviceCommands?deviceId=${deviceId}`,
  );
  expect(commands.data.map(({ status }) => status)).toEqual(["SUCCESSFUL"]);

  // The gateway drops: its sub-devices stay as they were, and cannot be reached.
  client.end(true);
  await eventually(
    async () => (await shown(it, gateway.deviceId)).deviceInfo.status,
    (status) => status === "OFFLINE",
  );
  expect((await shown(it, deviceId)).deviceInfo.status).toBe("ONLINE");
  expect((await shown(it, stranger)).deviceInfo.status).toBe("OFFLINE");
  expect(await send(deviceId, "Climate", { header: { method: "SET_TARGET" }, body: { target: 20 } })).toMatchObject({
    status: 403,
    body: { error_code: "100450" },
  });

  // 1.5.6: the application has the gateway remove it.
  const back = await connectDevice(islet, gateway);
  await back.subscribeAsync(commandTopic(gateway.deviceId), { qos: 1 });
  const remove = heard(back, commandTopic(gateway.deviceId));
  const removal = { header: { mode: "ACK", method: "REMOVE" }, body: { del_subdevice: "YES" } };
  expect((await send(gateway.deviceId, "Manage", removal)).status).toBe(202);
  expect(await remove).toMatchObject({ cmd: "REMOVE", paras: { del_subdevice: "YES" } });
  await back.publishAsync(
    topic(gateway.deviceId, "request"),
    JSON.stringify({ type: "delete", devices: [{ deviceId }] }),
    { qos: 1 },
  );
  expect(await receiver.until((body) => body.notifyType === "deviceDeleted")).toMatchObject({
    deviceId,
    gatewayId: gateway.deviceId,
  });
  expect((await app("GET", `${DEVICES}/${deviceId}`)).status).toBe(404);

  // What is left becomes direct when the gateway goes without it.
  expect((await app("DELETE", `${DEVICES}/${gateway.deviceId}?cascade=false`)).status).toBe(204);
  expect(await shown(it, stranger)).toMatchObject({ gatewayId: stranger });
});

test("a hostile gateway reaches nobody else's devices, and its flood harms nobody", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "devices.max_sub_devices": "100" } });
  const it = await setUp(islet);
  const other = await setUp(islet, "other");
  const theirs = await other.register("theirs");
  const direct = await it.register("direct");
  const honest = await setUpGateway(islet, it, "honest");
  const hostile = await setUpGateway(islet, it, "hostile");
  const { devices } = await honest.ask("add", { nodeId: "mine" });
  const mine = devices[0]?.deviceId as string;
  await honest.ask("status", { nodeId: "mine", status: "ONLINE" });

  const ids = [
    theirs.deviceId,
    "theirs",
    direct.deviceId,
    "direct",
    mine,
    "mine",
    honest.deviceId,
    hostile.deviceId,
    "x",
  ];
  const entries = ids.map((id) => ({ deviceId: id, status: "OFFLINE" }));
  const NOT_FOUND = ids.map(() => "DEVICE_NOT_FOUND");
  for (const type of ["status", "delete"])
    expect((await hostile.ask(type, ...entries)).devices.map(({ error }) => error)).toEqual(NOT_FOUND);
  const taken = await hostile.ask(
    "add",
    { nodeId: "theirs" },
    { nodeId: "direct" },
    { nodeId: "mine" },
    { nodeId: "hostile" },
  );
  expect(taken.devices.map(({ error }) => error)).toEqual(Array(4).fill("NODE_ID_TAKEN"));
  expect((await shown(it, mine)).deviceInfo.status).toBe("ONLINE");
  expect((await shown(other, theirs.deviceId)).gatewayId).toBe(theirs.deviceId);

  // A plain device is no gateway.
  const plain = await connectDevice(islet, direct);
  const answer = new Promise<string>((resolve) =>
    plain.on("message", (_topic, payload) => resolve(payload.toString())),
  );
  await plain.subscribeAsync(topic(direct.deviceId, "response"));
  await plain.publishAsync(topic(direct.deviceId, "request"), '{"type":"add","devices":[{"nodeId":"n"}]}', { qos: 1 });
  expect(JSON.parse(await answer)).toMatchObject({ errcode: 1, devices: [{ error: "NOT_A_GATEWAY" }] });

  // A flood of additions ends at the limit; meanwhile others are served.
  const flood = Array.from({ length: 40 }, (_, message) =>
    hostile.ask("add", ...Array.from({ length: 50 }, (_, at) => ({ nodeId: `flood-${message}-${at}` }))),
  );
  const started = performance.now();
  const during = [];
  for (let count = 0; count < 20; count++) {
    const from = performance.now();
    await honest.ask("status", { nodeId: "mine", status: count % 2 === 0 ? "OFFLINE" : "ONLINE" });
    during.push(performance.now() - from);
  }
  const results = (await Promise.all(flood)).flatMap((result) => result.devices);
  console.log(
    `2,000 additions in ${Math.round(performance.now() - started)} ms; a status meanwhile took up to ${Math.round(Math.max(...during))} ms`,
  );
  expect(results.filter(({ errcode }) => errcode === 0).length).toBe(100);
  expect(results.filter(({ error }) => error === "DEVICE_LIMIT_REACHED").length).toBe(1_900);
  const { body } = await it.app<{ totalCount: number }>("GET", `${DEVICES}?gatewayId=${hostile.deviceId}`);
  expect(body.totalCount).toBe(101);

  // What is on nobody's topic ends the connection; garbage does not.
  await hostile.client.publishAsync(topic(hostile.deviceId, "request"), Buffer.alloc(100_000, 0x5b), { qos: 1 });
  await hostile.ask("delete", { nodeId: "flood-0-0" });
  const closed = new Promise<void>((resolve) => hostile.client.once("close", () => resolve()));
  hostile.client.publish(topic(honest.deviceId, "request"), '{"type":"delete","devices":[{"nodeId":"mine"}]}');
  await closed;
  expect((await shown(it, mine)).deviceInfo.status).toBe("ONLINE");
  expect(islet.errors).not.toContain('"level":"error"');
});

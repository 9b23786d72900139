import { expect, setDefaultTimeout, test } from "bun:test";
import type { MqttClient } from "mqtt";
import { type Answer, application, type Setup, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { commandTopic, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";
import { addLoraProducts, connectServer, type Request, registerServer } from "../support/lora";

setDefaultTimeout(30_000);

const GATEWAYS = "/api/v3.0/devices/lora/gateway";
const NODES = "/api/v3.0/devices/lora/node";
const DEVICES = "/iocm/app/dm/v1.4.0/devices";
const KEY = "2b7e151628aed2a6abf7158809cf4f3c";
const EUI = "0004A30B001A2B3C";

type Body = Record<string, unknown> & { error_code?: string; error_desc?: string; deviceId: string };
const outcome = ({ status, body }: Answer<Body>) => [status, body.error_code, body.error_desc];

/** The application, its products, and a LoRa server that is registered and not connected yet. */
async function setUpLora(islet: Islet) {
  const it = await setUp(islet);
  const products = await addLoraProducts(it);
  const server = await registerServer(it, products.server);
  const node = {
    ...{ loraServerId: server.deviceId, productId: products.node, devEUI: EUI, name: "Cellar" },
    ...{ appEUI: "70B3D57ED0000001", appKey: KEY },
  };
  const gateway = {
    ...{ loraServerId: server.deviceId, productId: products.gateway, gatewayEUI: "00800000a0001234", name: "Roof" },
    gatewaySeq: KEY,
  };
  return { ...it, products, server, node, gateway };
}

const statusOf = async ({ app }: Pick<Setup, "app">, deviceId: string) =>
  (await app<{ deviceInfo: { status: string } }>("GET", `${DEVICES}/${deviceId}`)).body.deviceInfo.status;
const tellStatus = (client: MqttClient, server: string, nodeId: string, status: string) =>
  client.publishAsync(
    `/islet/v1/devices/${server}/sub-devices/request`,
    JSON.stringify({ type: "status", devices: [{ nodeId, status }] }),
    { qos: 1 },
  );

test("a gateway and a node of LoRa: registered with their server, reporting, commanded, deleted", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUpLora(islet);
  const { app, server, node, gateway } = it;
  for (const notifyType of ["deviceAdded", "deviceDataChanged", "deviceDeleted"])
    await app("POST", "/iocm/app/sub/v1.2.0/subscriptions", {
      notifyType,
      callbackUrl: receiver.url(`/${notifyType}`),
    });

  // Nothing goes without the server.
  const OFFLINE = [403, "1200006", "The operation is not allowed. The LoRa Server is not online."];
  expect(outcome(await app("POST", NODES, node))).toEqual(OFFLINE);
  const lora = await connectServer(islet, server);

  const roof = await app<Body>("POST", GATEWAYS, gateway);
  expect(roof).toEqual({ status: 201, body: { ...gateway, deviceId: `${it.products.gateway}_${gateway.gatewayEUI}` } });
  const cellar = await app<Body>("POST", NODES, node);
  const nodeId = `${it.products.node}_${EUI}`;
  const whole = {
    ...{ ...node, deviceId: nodeId, deviceClass: "classA", joinType: "OTAA" },
    ...{ authCode: null, appSKey: null, devAddr: null, nwkSKey: null, description: null },
  };
  expect(cellar).toEqual({ status: 201, body: whole });
  expect(lora.requests.map(({ serviceId, cmd, paras }) => [serviceId, cmd, paras])).toEqual([
    [
      "$lora",
      "REGISTER_GATEWAY",
      { productId: it.products.gateway, gatewayEUI: gateway.gatewayEUI, name: "Roof", gatewaySeq: KEY },
    ],
    [
      "$lora",
      "REGISTER_NODE",
      {
        ...{ productId: it.products.node, devEUI: EUI, name: "Cellar", appEUI: node.appEUI, appKey: KEY },
        ...{ deviceClass: "classA", joinType: "OTAA" },
      },
    ],
  ]);
  expect(await app("GET", `${NODES}/${nodeId}`)).toEqual({ status: 200, body: whole });
  expect(await app("GET", `${GATEWAYS}/${roof.body.deviceId}`)).toEqual({ status: 200, body: roof.body });
  await receiver.until(
    ({ notifyType, gatewayId, deviceId }) =>
      notifyType === "deviceAdded" && gatewayId === server.deviceId && deviceId === nodeId,
  );

  // It is a sub-device, OFFLINE until its server says otherwise, and reports through it.
  const listed = await app<{ devices: { deviceId: string; gatewayId: string }[] }>(
    "GET",
    `${DEVICES}?gatewayId=${server.deviceId}`,
  );
  expect(listed.body.devices.map(({ gatewayId }) => gatewayId)).toEqual(Array(3).fill(server.deviceId));
  expect(await statusOf(it, nodeId)).toBe("OFFLINE");
  await tellStatus(lora.client, server.deviceId, EUI, "ONLINE");
  expect(await statusOf(it, nodeId)).toBe("ONLINE");
  await lora.client.publishAsync(dataTopic(EUI), report("Meter", { level: 42 }), { qos: 1 });
  const pushed = await receiver.until(({ notifyType }) => notifyType === "deviceDataChanged");
  expect(pushed).toMatchObject({ deviceId: nodeId, gatewayId: server.deviceId, service: { data: { level: 42 } } });

  // And gets commands by it; those of the platform itself are not among the application's.
  await lora.client.subscribeAsync(commandTopic(EUI), { qos: 1 });
  const heard = new Promise<Request>((resolve) =>
    lora.client.on(
      "message",
      (topic, payload) => topic === commandTopic(EUI) && resolve(JSON.parse(payload.toString())),
    ),
  );
  const command = { header: { method: "RESET" }, body: {} };
  const sendPath = `/iocm/app/signaltrans/v1.1.0/devices/${nodeId}/services/Meter/sendCommand`;
  expect(await app("POST", sendPath, command)).toMatchObject({ status: 202, body: { status: "sent" } });
  expect(await heard).toMatchObject({ cmd: "RESET", serviceId: "Meter" });
  const commands = await app<{ data: unknown[] }>("GET", "/iocm/app/cmd/v1.4.0/deviceCommands");
  expect(commands.body.data.length).toBe(1);

  // Errors that depend on what there is.
  expect(outcome(await app("POST", NODES, node))).toEqual([400, "1200012", "The LoRa node already exists."]);
  expect(outcome(await app("POST", GATEWAYS, gateway))).toEqual([400, "1200013", "The LoRa gateway already exists."]);
  const errors: [path: string, change: object, status: number, code: string][] = [
    [NODES, { productId: "nothing" }, 400, "106018"],
    [NODES, { loraServerId: nodeId }, 404, "1200017"],
    [NODES, { productId: it.productId }, 403, "1200007"],
    [NODES, { productId: it.products.gateway }, 403, "1200016"],
    [GATEWAYS, { productId: it.products.node }, 403, "1200015"],
    [GATEWAYS, { gatewayEUI: EUI.toLowerCase() }, 403, "1200019"],
    [NODES, { devEUI: gateway.gatewayEUI.toUpperCase() }, 403, "1200018"],
    [NODES, { appKey: "" }, 400, "1200008"],
    [NODES, { joinType: "ABP" }, 400, "1200009"],
    [NODES, { joinType: "ABP", appSKey: KEY }, 400, "1200010"],
    [NODES, { joinType: "ABP", appSKey: KEY, nwkSKey: KEY }, 400, "1200011"],
    [NODES, { devEUI: "12" }, 400, "100022"],
    [NODES, { ownerAppId: "nobody" }, 404, "100203"],
  ];
  for (const [path, change, status, code] of errors) {
    const answer = await app<Body>("POST", path, { ...(path === NODES ? node : gateway), ...change });
    expect([change, answer.status, answer.body.error_code]).toEqual([change, status, code]);
  }
  expect(lora.requests.length).toBe(2);
  const other = await setUp(islet, "other");
  expect(outcome(await app("POST", NODES, { ...node, ownerAppId: other.appId }))[1]).toBe("100217");
  for (const path of [`${NODES}/${nodeId}`, `${GATEWAYS}/${roof.body.deviceId}`])
    for (const method of ["GET", "DELETE"]) {
      expect((await other.app<Body>(method, path)).body.error_code).toBe(
        path.startsWith(NODES) ? "1200002" : "1200003",
      );
      expect((await other.app<Body>(method, `${path}?ownerAppId=${it.appId}`)).body.error_code).toBe("100217");
    }

  // The server has the last word on deletions too.
  lora.decide = () => ({ errcode: 3, body: { reason: "in maintenance" } });
  const REFUSED = [400, "1200014", "The LoRa Server processing failed:in maintenance"];
  expect(outcome(await app("DELETE", `${NODES}/${nodeId}`))).toEqual(REFUSED);
  expect((await app("GET", `${NODES}/${nodeId}`)).status).toBe(200);
  lora.decide = () => ({ errcode: 0 });
  expect((await app("DELETE", `${NODES}/${nodeId}`)).status).toBe(204);
  expect((await app("DELETE", `${GATEWAYS}/${roof.body.deviceId}`)).status).toBe(204);
  expect(lora.requests.slice(-2).map(({ cmd, paras }) => [cmd, paras])).toEqual([
    ["DELETE_NODE", { devEUI: EUI }],
    ["DELETE_GATEWAY", { gatewayEUI: gateway.gatewayEUI }],
  ]);
  await receiver.until(({ notifyType, deviceId }) => notifyType === "deviceDeleted" && deviceId === nodeId);
  expect(outcome(await app("GET", `${NODES}/${nodeId}`))).toEqual([404, "1200002", "The LoRa node does not exist."]);
  expect((await app("GET", `${DEVICES}/${nodeId}`)).status).toBe(404);

  // Another node; its server goes without it.
  await app("POST", NODES, node);
  expect((await app("DELETE", `${DEVICES}/${server.deviceId}?cascade=false`)).status).toBe(204);
  expect((await app("GET", `${NODES}/${nodeId}`)).body).toEqual(whole);
  expect(outcome(await app("DELETE", `${NODES}/${nodeId}`))).toEqual([
    404,
    "1200017",
    "The LoRa Server is not existed.",
  ]);
});

test("a registration that is refused, not answered, cut off or killed leaves no device, and is withdrawn", async () => {
  using folder = temporaryFolder();
  const settings = { "lora.answer_timeout_ms": "400", "lora.withdraw_interval_ms": "100" };
  await using islet = await startIslet({ data: folder.path, settings });
  const { app, appId, appSecret, server, node } = await setUpLora(islet);
  const isThere = async (call = app) => {
    const { body } = await call<{ totalCount: number }>("GET", `${DEVICES}?gatewayId=${server.deviceId}`);
    return body.totalCount > 1;
  };
  let lora = await connectServer(islet, server);
  const withdrawn = () => lora.requests.some(({ cmd, paras }) => cmd === "DELETE_NODE" && paras.devEUI === EUI);
  const FAILED = "The LoRa Server processing failed:";

  lora.decide = () => ({ errcode: 1 });
  expect(outcome(await app("POST", NODES, node))).toEqual([400, "1200014", `${FAILED}errcode 1`]);
  expect(await isThere()).toBe(false);

  lora.decide = ({ cmd }) => (cmd === "DELETE_NODE" ? { errcode: 0 } : undefined);
  expect(outcome(await app("POST", NODES, node))).toEqual([400, "1200014", `${FAILED}no answer within 0.4 s`]);
  expect(await isThere()).toBe(false);
  await eventually(withdrawn, Boolean);
  // An answer that comes too late makes nothing.
  const { mid } = lora.requests.findLast(({ cmd }) => cmd === "REGISTER_NODE") as Request;
  await lora.client.publishAsync(
    dataTopic(server.deviceId),
    JSON.stringify({ msgType: "deviceRsp", mid, errcode: 0 }),
    { qos: 1 },
  );
  expect(await isThere()).toBe(false);

  lora.decide = () => {
    lora.client.end(true);
    return undefined;
  };
  expect(outcome(await app("POST", NODES, node))).toEqual([
    400,
    "1200014",
    `${FAILED}the connection ended before the answer`,
  ]);
  expect(await isThere()).toBe(false);
  lora = await connectServer(islet, server);
  await eventually(withdrawn, Boolean);

  const asked = Promise.withResolvers<void>();
  lora.decide = () => void asked.resolve();
  const cut = app("POST", NODES, node).catch(() => "cut");
  await asked.promise;
  await islet.crash();
  expect(await cut).toBe("cut");
  await using restarted = await startIslet({ data: folder.path, settings });
  const again = await application(restarted, appId, appSecret);
  expect(await isThere(again)).toBe(false);
  lora = await connectServer(restarted, server);
  await eventually(withdrawn, Boolean);
  expect((await again("POST", NODES, node)).status).toBe(201);
  await lora.client.endAsync();
});

import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { SMOKE_SCRIPT, smokeMessages } from "../../src/capabilities/codecs/testing/smoke";
import { application, operator } from "../support/api";
import { connectDevice } from "../support/device";
import { eventually } from "../support/eventually";
import { PROGRAM, startIslet, temporaryFolder } from "../support/islet";

const built = join(import.meta.dir, "../../dist/islet");

const para = (paraName: string, required = false) => ({ paraName, dataType: "int", required });
const property = (propertyName: string, dataType: string) => ({ propertyName, dataType, method: "RE" });
const PRODUCT = {
  devicetype: {
    devices: [
      {
        ...{ manufacturerId: "M", manufacturerName: "Maker", model: "S", deviceType: "Smoke", protocolType: "MQTT" },
        serviceTypeCapabilities: [{ serviceId: "Smoke", serviceType: "Smoke", option: "Mandatory" }],
      },
    ],
  },
  servicetypes: [
    {
      services: [
        {
          serviceType: "Smoke",
          properties: [property("level", "int"), property("note", "string"), property("raw", "string")],
          commands: [
            {
              commandName: "SET_ALARM",
              paras: [para("value", true)],
              responses: [{ responseName: "SET_ALARM_RSP", paras: [para("result")] }],
            },
          ],
        },
      ],
    },
  ],
};

const CODECS = [
  { kind: "messages", messages: smokeMessages() },
  { kind: "script", source: SMOKE_SCRIPT },
];
const programs: [name: string, program: string[]][] = [["source", PROGRAM]];
if (existsSync(built)) programs.push(["the compiled binary", [built]]);
else console.log("skipped: codecs in dist/islet, which is not built (npm run build)");

test.each(programs.flatMap(([name, program]) => CODECS.map((codec) => [codec.kind, name, program, codec] as const)))(
  "a device speaks binary through a codec of kind %s, from %s",
  async (_kind, _name, program, codec) => {
    using folder = temporaryFolder();
    const data = folder.path;
    await using islet = await startIslet({ data, program });
    const manage = await operator(islet);
    const { appId, secret } = (await manage<{ appId: string; secret: string }>("POST", "/apps", { name: "a" })).body;
    const { productId } = (await manage<{ productId: string }>("POST", `/apps/${appId}/products`, PRODUCT)).body;
    const path = `/products/${productId}/codec`;
    expect((await manage("PUT", path, codec)).body).toMatchObject({ revision: 1, kind: codec.kind });
    expect((await manage("POST", `${path}/try`, { direction: "decode", hex: "000102" })).body).toMatchObject({
      result: { msgType: "deviceReq", data: [{ serviceId: "Smoke", serviceData: { level: 258 } }] },
      fitsModel: true,
    });

    const app = await application(islet, appId, secret);
    const registered = (
      await app<{ deviceId: string; secret: string }>("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", {
        ...{ deviceInfo: { nodeId: "smoke-1" }, productId, mqttConnect: true },
      })
    ).body;
    const { deviceId } = registered;
    const device = await connectDevice(islet, registered);
    const heard: string[] = [];
    const topic = (direction: string) => `/huawei/v1/devices/${deviceId}/${direction}/binary`;
    device.on("message", (_topic, payload) => {
      const bytes = payload.toString("hex");
      heard.push(bytes);
      if (bytes.startsWith("03"))
        device.publish(topic("data"), Buffer.from(`04${bytes.slice(2, 6)}0001`, "hex"), { qos: 1 });
    });
    await device.subscribeAsync(topic("command"), { qos: 1 });

    for (const bytes of ["000102", "010568656c6c6f", "09"])
      await device.publishAsync(topic("data"), Buffer.from(bytes, "hex"), { qos: 2 });
    // Acknowledged means on disk.
    const history = await app<{ deviceDataHistoryDTOs: { data: object }[] }>(
      "GET",
      `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=10`,
    );
    const stored = history.body.deviceDataHistoryDTOs.map((entry) => JSON.stringify(entry.data));
    expect(stored.sort()).toEqual(['{"level":258}', '{"note":"hello"}']);
    await eventually(
      () => heard,
      (all) => all.includes("aaaa0000"),
    );

    const sent = await app("POST", `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Smoke/sendCommand`, {
      header: { requestId: "r-1", mode: "ACK", method: "SET_ALARM" },
      body: { value: 7 },
    });
    expect(sent.status).toBe(202);
    type Commands = { items: { status: string; result?: unknown }[] };
    const { body } = await eventually(
      () => manage<Commands>("GET", `/devices/${deviceId}/commands`),
      (answer) => answer.body.items[0]?.status === "SUCCESSFUL",
    );
    expect(body.items[0]).toMatchObject({ result: { errcode: 0, body: { result: 1 } } });
    expect(heard.filter((bytes) => bytes.startsWith("03"))).toEqual([expect.stringMatching(/^03000.07$/)]);
    const traces = await eventually(
      () => manage<{ items: { reason: string }[] }>("GET", `/devices/${deviceId}/trace`),
      (answer) => answer.body.items.some(({ reason }) => ["message_unknown", "script_error"].includes(reason)),
    );
    expect(traces.status).toBe(200);
    await device.endAsync();
    expect(await islet.stop()).toBe(0);

    await using again = await startIslet({ data, program });
    const manageAgain = await operator(again);
    expect((await manageAgain("GET", path)).body).toMatchObject({ kind: codec.kind, revision: 1 });
    expect((await manageAgain("DELETE", path)).status).toBe(204);
    expect(await again.stop()).toBe(0);
  },
);

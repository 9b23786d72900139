import { expect, test } from "bun:test";
import { application, setUp } from "../support/api";
import { startIslet, temporaryFolder } from "../support/islet";

const CREDENTIALS = "/iocm/app/reg/v1.1.0/deviceCredentials";
const SHADOW = "/iocm/app/shadow/v1.5.0";
const VALVE = {
  devicetype: {
    devices: [
      {
        manufacturerId: "ACME",
        manufacturerName: "Acme",
        model: "Valve1",
        protocolType: "CoAP",
        deviceType: "Valve",
        serviceTypeCapabilities: [{ serviceId: "Valve", serviceType: "Valve", option: "Mandatory" }],
      },
    ],
  },
  servicetypes: [
    {
      services: [
        {
          serviceType: "Valve",
          commands: null,
          properties: [
            { propertyName: "opening", dataType: "int", min: "0", max: "100", method: "RW" },
            { propertyName: "state", dataType: "string", method: "R" },
          ],
        },
      ],
    },
  ],
};

test("a device registered by code; what is desired of it waits over a crash, with its history, and goes with it", async () => {
  using folder = temporaryFolder();
  await using crashing = await startIslet({ data: folder.path });
  const { manage, app, appId, appSecret, register } = await setUp(crashing);
  const product = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, VALVE);
  const { productId } = product.body;

  const nodeId = "861234500000017";
  const registered = await app<{ deviceId: string }>("POST", CREDENTIALS, { nodeId, verifyCode: nodeId, productId });
  expect(registered).toEqual({
    status: 200,
    body: {
      deviceId: `${productId}_${nodeId}`,
      psk: expect.stringMatching(/^[0-9a-f]{32}$/),
      timeout: 0,
      verifyCode: nodeId,
    } as never,
  });
  expect((await app("POST", CREDENTIALS, { nodeId, productId })).body.error_code).toBe("100426");
  const { deviceId } = registered.body;
  const want = (opening: unknown, of = deviceId) =>
    app("PUT", `${SHADOW}/devices/devices/${of}`, { serviceDesireds: [{ serviceId: "Valve", desired: { opening } }] });
  expect(await want(35)).toEqual({ status: 200, body: {} });
  expect(await want(40)).toEqual({ status: 200, body: {} });
  expect(await want(101)).toMatchObject({ status: 400, body: { error_code: "50400" } });
  const sensor = await register("sensor-1"); // MQTT
  expect(await want(1, sensor.deviceId)).toMatchObject({ status: 403, body: { error_code: "100443" } });

  await crashing.crash();
  await using islet = await startIslet({ data: folder.path });
  const again = await application(islet, appId, appSecret);
  const shadow = await again<{ services: object[] }>("GET", `${SHADOW}/devices/${deviceId}`);
  expect(shadow.body.services).toMatchObject([
    { serviceId: "Valve", reportedProps: {}, desiredProps: { opening: 40 }, serviceType: "Valve" },
  ]);
  const path = `${SHADOW}/deviceDesiredHistory?deviceId=${deviceId}&gatewayId=${deviceId}&property=opening`;
  const history = await again("GET", path);
  expect(history.body).toMatchObject({
    totalCount: 2,
    pageNo: 0,
    pageSize: 25,
    DeviceDesiredHistoryDTO: [
      { deviceId, gatewayId: deviceId, appId, serviceId: "Valve", desired: { opening: 40 } },
      { desired: { opening: 35 } },
    ],
  });
  expect((await again("DELETE", `/iocm/app/dm/v1.4.0/devices/${deviceId}`)).status).toBe(204);
  expect((await again("GET", path)).body.error_code).toBe("100403");
});

import { expect, setDefaultTimeout, test } from "bun:test";
import { setUp } from "../support/api";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { outcome, PATHS } from "../support/integrator";
import { startIslet, temporaryFolder } from "../support/islet";
import { level, plainDevice, setUpNbIot } from "../support/nb-iot";

setDefaultTimeout(60_000);
type Body = Record<string, unknown>;
type Device = { deviceId: string; deviceInfo: Body; services: { serviceId: string; data: Body; eventTime: string }[] };
type Devices = { totalCount: number; pageNo: number; pageSize: number; devices: Device[] };
type History = { totalCount: number; deviceDataHistoryDTOs: { serviceId: string; data: Body; timestamp: string }[] };

test("a nightly job walks through all devices and all that they reported, while more of both come in", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register } = await setUp(islet, "night");
  const made = [];
  for (let at = 0; at < 7; at++) made.push(await register(`sensor-${at}`));
  const [watched] = made as [(typeof made)[number], ...typeof made];
  const client = await connectDevice(islet, watched);
  const send = (index: number) =>
    client.publishAsync(
      dataTopic(watched.deviceId),
      report("Climate", { temperature: index }, `2026012${index % 10}T120000Z`),
      { qos: 1 },
    );
  for (let index = 0; index < 9; index++) await send(index);

  // 1.6.2, oldest first: devices that are registered meanwhile come at the end, and none is seen twice or missed.
  const walk = async (query: string, between: () => Promise<unknown> = async () => {}) => {
    const seen: Device[] = [];
    for (let pageNo = 0; ; pageNo++) {
      const { body } = await app<Devices>("GET", `${PATHS.devices}?pageNo=${pageNo}&pageSize=3&${query}`);
      expect(body).toMatchObject({ pageNo, pageSize: 3 });
      seen.push(...body.devices);
      if (seen.length >= body.totalCount) return seen.map(({ deviceId }) => deviceId);
      await between();
    }
  };
  let late = 0;
  const seen = await walk("sort=ASC", async () => {
    if (late < 2) made.push(await register(`late-${late++}`));
  });
  expect(seen).toEqual(made.map(({ deviceId }) => deviceId));
  expect(await walk("sort=DESC")).toEqual(seen.toReversed());
  expect(await walk("status=ONLINE")).toEqual([watched.deviceId]);
  expect((await walk("status=INACTIVE")).length).toBe(8);
  expect(await walk("deviceType=RoomSensor&status=ONLINE&nodeType=ENDPOINT")).toEqual([watched.deviceId]);
  expect(outcome(await app("GET", PATHS.devices))).toMatch(/^400 /); // neither pageNo nor gatewayId
  const direct = await app<Devices>("GET", `${PATHS.devices}?gatewayId=${watched.deviceId}`);
  expect(direct.body).toMatchObject({ totalCount: 1, devices: [{ deviceId: watched.deviceId }] });

  // 1.6.1 tells of one device what the list tells of it; the IMSI for who asks.
  const one = await app<Device>("GET", `${PATHS.devices}/${watched.deviceId}`);
  expect(one.body).toEqual(direct.body.devices[0] as Device);
  expect(one.body.services).toMatchObject([
    { serviceId: "Climate", data: { temperature: 8 }, eventTime: "20260128T120000Z" },
  ]);
  expect(Object.keys(one.body.deviceInfo)).not.toContain("imsi");
  await app("PUT", `${PATHS.devices}/${watched.deviceId}`, { imsi: "460001357924680" });
  const withImsi = (await app<Device>("GET", `${PATHS.devices}/${watched.deviceId}?select=imsi`)).body;
  expect(withImsi.deviceInfo.imsi).toBe("460001357924680");

  // 1.6.3: one by one, as the page size is when nobody says otherwise, then by period; both ends belong to it.
  const history = async (query: string) => {
    const ids = `deviceId=${watched.deviceId}&gatewayId=${watched.deviceId}`;
    return (await app<History>("GET", `${PATHS.history}?${ids}&${query}`)).body;
  };
  const first = await history("pageNo=0");
  expect([first.totalCount, first.deviceDataHistoryDTOs.length]).toEqual([9, 1]);
  const values: unknown[] = [];
  for (let pageNo = 0; pageNo * 4 < first.totalCount; pageNo++) {
    const { deviceDataHistoryDTOs: page } = await history(`pageNo=${pageNo}&pageSize=4`);
    values.push(...page.map(({ data }) => data.temperature));
  }
  expect(values).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
  const period = await history("startTime=20260123T120000Z&endTime=20260125T120000Z&pageSize=10");
  expect(period.deviceDataHistoryDTOs.map(({ timestamp }) => timestamp)).toEqual([
    ...["20260125T120000Z", "20260124T120000Z", "20260123T120000Z"],
  ]);
  expect((await history("startTime=20260129T000000Z")).totalCount).toBe(0);
  const unknown = await app<Body>("GET", `${PATHS.history}?deviceId=nobody&gatewayId=nobody`);
  expect(unknown.status).toBe(200); // as the document has it, with or without an error in it
  expect(unknown.body.totalCount ?? unknown.body.error_code).toBeDefined();

  // 1.6.5: what the device can do is what its model says.
  const { body } = await app<{ deviceCapabilities: Body[] }>(
    "GET",
    `${PATHS.capabilities}?deviceId=${watched.deviceId}`,
  );
  expect(body.deviceCapabilities).toMatchObject([
    {
      deviceId: watched.deviceId,
      serviceCapabilities: [
        { serviceId: "Climate", commands: [{ commandName: "SET_TARGET", paras: [{ paraName: "target", min: "5" }] }] },
      ],
    },
  ]);
  expect((await app<typeof body>("GET", PATHS.capabilities)).body.deviceCapabilities.length).toBe(9);
  await client.endAsync();
});

test("status as an application sees it: never there, asleep but well, and gone", async () => {
  using folder = temporaryFolder();
  const settings = {
    "devices.abnormal_after_ms": "2500",
    "devices.offline_after_ms": "5000",
    "devices.silence_sweep_ms": "50",
  };
  await using islet = await startIslet({ data: folder.path, settings });
  const { app, productId, register, status } = await setUpNbIot(islet, "meadow");
  const { deviceId } = await register(productId, "861234500000161");
  const is = (wanted: string) =>
    eventually(
      () => status(deviceId),
      (it) => it === wanted,
    );
  const filtered = async (wanted: string) =>
    (await app<Devices>("GET", `${PATHS.devices}?pageNo=0&status=${wanted}`)).body.totalCount;
  expect([await status(deviceId), await filtered("INACTIVE")]).toEqual(["INACTIVE", 1]);
  using device = await plainDevice(islet, { ep: "861234500000161" });
  await device.register();
  await is("ONLINE");
  await is("ABNORMAL");
  await device.report(level(1));
  await is("ONLINE");
  await is("OFFLINE");
  expect([await filtered("OFFLINE"), await filtered("ONLINE")]).toEqual([1, 0]);
  expect((await app(`GET`, `${PATHS.registerByCode}/${deviceId}`)).body).toMatchObject({ activated: true });

  // 1.6.4: what was wanted of it, newest first, filtered by property.
  const shadow = `${PATHS.shadows}/${deviceId}`;
  const refused = await app("PUT", shadow, { serviceDesireds: [{ serviceId: "Smoke", desired: { level: 9 } }] });
  expect(refused.body.error_code).toBe("100443"); // the model lets nobody write
  const wishes = await app("GET", `${PATHS.shadowHistory}?deviceId=${deviceId}&gatewayId=${deviceId}`);
  expect(wishes).toMatchObject({ status: 200, body: { totalCount: 0, DeviceDesiredHistoryDTO: [] } });
});

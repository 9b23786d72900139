import { expect, setDefaultTimeout, test } from "bun:test";
import { setUp } from "../support/api";
import { connectDevice, dataTopic, report } from "../support/device";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);
type Page = { totalCount: number; devices: { deviceId: string; deviceInfo: { status: string } }[] };
type History = { totalCount: number; deviceDataHistoryDTOs: { data: { temperature: number }; timestamp: string }[] };

/** 1.6: the dashboard of a cold store. */
test("a dashboard finds the sensors that are on line, draws a day of one of them, and asks what it can do", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, register, appId } = await setUp(islet, "cold store");
  const sensors = [];
  for (const name of ["door", "shelf", "freezer"]) sensors.push(await register(name));
  const [door, shelf] = sensors as [(typeof sensors)[0], (typeof sensors)[0]];

  const clients = [await connectDevice(islet, door as never), await connectDevice(islet, shelf as never)];
  for (let hour = 0; hour < 24; hour++) {
    const at = `20261120T${String(hour).padStart(2, "0")}0000Z`;
    const data = { temperature: -20 + hour / 2, humidity: 30, battery: 90 };
    await clients[0]?.publishAsync(dataTopic(door?.deviceId ?? ""), report("Climate", data, at), { qos: 1 });
  }

  const all = await app<Page>("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=2");
  expect([all.body.totalCount, all.body.devices.length]).toEqual([3, 2]);
  const online = await app<Page>("GET", "/iocm/app/dm/v1.4.0/devices?pageNo=0&status=ONLINE");
  expect(online.body.devices.map(({ deviceId }) => deviceId).sort()).toEqual(
    [door?.deviceId, shelf?.deviceId].sort() as string[],
  );

  const device = `deviceId=${door?.deviceId}&gatewayId=${door?.deviceId}`;
  const morning = `${device}&startTime=20261120T060000Z&endTime=20261120T115959Z`;
  const path = "/iocm/app/data/v1.2.0/deviceDataHistory";
  const curve = await app<History>("GET", `${path}?${morning}&serviceId=Climate&property=temperature&pageSize=100`);
  expect(curve.body.deviceDataHistoryDTOs.map(({ data }) => data.temperature)).toEqual([
    -14.5, -15, -15.5, -16, -16.5, -17,
  ]);
  const second = await app<History>("GET", `${path}?${device}&pageNo=1&pageSize=10`);
  expect([second.body.totalCount, second.body.deviceDataHistoryDTOs[0]?.timestamp]).toEqual([24, "20261120T130000Z"]);

  // The reported shadow is the last value, whatever the history is asked for.
  const shadow = await app<{ services: { reportedProps: { temperature: number }; eventTime: string }[] }>(
    "GET",
    `/iocm/app/shadow/v1.5.0/devices/${door?.deviceId}`,
  );
  expect(shadow.body.services[0]).toMatchObject({
    reportedProps: { temperature: -8.5 },
    eventTime: "20261120T230000Z",
  });

  const can = await app<{ deviceCapabilities: { deviceId: string; serviceCapabilities: { serviceId: string }[] }[] }>(
    "GET",
    `/iocm/app/data/v1.1.0/deviceCapabilities?deviceId=${door?.deviceId}&appId=${appId}`,
  );
  expect(can.body.deviceCapabilities[0]?.serviceCapabilities.map(({ serviceId }) => serviceId)).toEqual(["Climate"]);
  for (const client of clients) await client.endAsync();
});

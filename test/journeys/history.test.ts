import { expect, setDefaultTimeout, test } from "bun:test";
import { renderUtcTime } from "../../src/platform/utc-time";
import { type Setup, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000); // each starts a process

type Item = {
  serviceId: string;
  deviceId: string;
  gatewayId: string;
  appId: string;
  data: Record<string, number>;
  timestamp: string;
};
type Page = {
  totalCount: number;
  pageNo: number;
  pageSize: number;
  deviceDataHistoryDTOs: Item[];
  error_code?: string;
};

const history = async ({ app }: Pick<Setup, "app">, query: Record<string, string | number>) => {
  const text = new URLSearchParams(Object.entries(query).map(([key, value]): [string, string] => [key, String(value)]));
  return app<Page>("GET", `/iocm/app/data/v1.2.0/deviceDataHistory?${text}`);
};
const numbers = ({ deviceDataHistoryDTOs }: Page) => deviceDataHistoryDTOs.map(({ data }) => data.battery);
const values = (battery: number) => ({ temperature: 20, humidity: 40, battery });
/** 20261120T080000Z and so many seconds. */
const START = Date.UTC(2026, 10, 20, 8);
const at = (second: number) => renderUtcTime(START + second * 1_000);

test("history: every parameter, totals, order, and what an illegal query is told", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const other = await setUp(islet, "other");
  const gateway = await it.register("gateway");
  const { body: sub } = await it.manage<{ deviceId: string }>("POST", `/apps/${it.appId}/devices`, {
    nodeId: "behind",
    gatewayId: gateway.deviceId,
    productId: it.productId,
  });
  const device = await connectDevice(islet, gateway);
  const publish = (deviceId: string, battery: number, eventTime?: string) =>
    device.publishAsync(dataTopic(deviceId), report("Climate", values(battery), eventTime), { qos: 1 });
  // Not in the order of their times: what counts is when it was measured.
  const order = Array.from({ length: 50 }, (_, index) => (index * 7) % 50);
  for (const second of order) await publish(gateway.deviceId, second, at(second));
  for (const second of [3, 4]) await publish(sub.deviceId, 50 + second, at(second));

  const own = { deviceId: gateway.deviceId, gatewayId: gateway.deviceId };
  const first = await history(it, own);
  expect(first).toEqual({
    status: 200,
    body: {
      totalCount: 50,
      pageNo: 0,
      pageSize: 1,
      deviceDataHistoryDTOs: [
        {
          serviceId: "Climate",
          ...own,
          appId: it.appId,
          data: values(49),
          timestamp: at(49),
        },
      ],
    },
  });
  const all = await history(it, { ...own, pageSize: 2_000 });
  expect(numbers(all.body)).toEqual(Array.from({ length: 50 }, (_, index) => 49 - index));
  const pages = await Promise.all([0, 1, 2, 3].map((pageNo) => history(it, { ...own, pageSize: 16, pageNo })));
  expect(pages.flatMap(({ body }) => numbers(body))).toEqual(numbers(all.body));
  expect(pages.map(({ body }) => [body.totalCount, body.pageNo, body.pageSize])).toEqual(
    [0, 1, 2, 3].map((no) => [50, no, 16]),
  );
  expect((await history(it, { ...own, pageNo: 99, pageSize: 10 })).body).toMatchObject({
    totalCount: 50,
    deviceDataHistoryDTOs: [],
  });

  const period = { ...own, pageSize: 100, startTime: at(10), endTime: at(12) };
  expect((await history(it, period)).body).toMatchObject({ totalCount: 3 });
  expect(numbers((await history(it, period)).body)).toEqual([12, 11, 10]);
  expect((await history(it, { ...own, startTime: at(45) })).body.totalCount).toBe(5);
  expect((await history(it, { ...own, endTime: at(1) })).body.totalCount).toBe(2);

  // The gateway alone: itself and what is behind it. One behind it: only that one, with or without its gateway.
  expect((await history(it, { gatewayId: gateway.deviceId, pageSize: 100 })).body.totalCount).toBe(52);
  for (const query of [{ deviceId: sub.deviceId }, { deviceId: sub.deviceId, gatewayId: gateway.deviceId }]) {
    const { body } = await history(it, { ...query, pageSize: 10 });
    expect([body.totalCount, numbers(body), body.deviceDataHistoryDTOs[0]?.gatewayId]).toEqual([
      2,
      [54, 53],
      gateway.deviceId,
    ]);
  }

  const refused: [query: Record<string, string | number>, status: number, code: string][] = [
    [{}, 400, "100419"],
    [{ deviceId: "", gatewayId: "" }, 400, "100419"],
    [{ ...own, pageSize: 2_001 }, 400, "100216"],
    [{ ...own, pageSize: 0 }, 400, "100216"],
    [{ ...own, pageNo: -1 }, 400, "100216"],
    [{ ...own, pageNo: "x" }, 400, "100216"],
    [{ ...own, startTime: "2026-11-20" }, 400, "100216"],
    [{ ...own, startTime: at(5), endTime: at(4) }, 400, "100216"],
    [{ deviceId: "nobody", gatewayId: "nobody" }, 200, "100418"],
    [{ deviceId: sub.deviceId, gatewayId: sub.deviceId }, 200, "100418"],
    [{ gatewayId: "nobody" }, 200, "100418"],
    [{ ...own, appId: "nobody" }, 403, "100203"],
    [{ ...own, appId: other.appId }, 403, "100217"],
  ];
  for (const [query, status, code] of refused) {
    const answer = await history(it, query);
    expect([query, answer.status, answer.body.error_code]).toEqual([query, status, code]);
  }
  await device.endAsync();
});

test("the platform's time counts when the device's is missing, malformed or far in the future", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const registered = await it.register("clockless");
  const device = await connectDevice(islet, registered);
  const { deviceId } = registered;
  const before = renderUtcTime(Date.now());
  const given = [
    undefined,
    "yesterday",
    "20260230T000000Z",
    "20261120T08:00:00Z",
    "20991231T235959Z",
    "20261120T080000Z",
  ];
  for (const [index, eventTime] of given.entries())
    await device.publishAsync(dataTopic(deviceId), report("Climate", values(index), eventTime), { qos: 1 });
  await device.publishAsync(
    dataTopic(deviceId),
    JSON.stringify({
      msgType: "deviceReq",
      data: [{ serviceId: "Climate", serviceData: values(6), eventTime: 20261120 }],
    }),
    { qos: 1 },
  );
  const { body } = await history(it, { deviceId, gatewayId: deviceId, pageSize: 10 });
  const after = renderUtcTime(Date.now());
  expect(body.totalCount).toBe(7);
  for (const { data, timestamp } of body.deviceDataHistoryDTOs) {
    if (data.battery === 5) expect(timestamp).toBe("20261120T080000Z");
    else expect([data.battery, timestamp >= before && timestamp <= after]).toEqual([data.battery, true]);
  }
  await device.endAsync();
});

test("the reported shadow is right after a crash, property by property", async () => {
  using folder = temporaryFolder();
  let islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const registered = await it.register("shadowed");
  const { deviceId } = registered;
  let device = await connectDevice(islet, registered);
  const publish = (data: Record<string, number>, eventTime: string) =>
    device.publishAsync(dataTopic(deviceId), report("Climate", data, eventTime), { qos: 1 });
  await publish({ temperature: 20, humidity: 40, battery: 90 }, at(1));
  await publish({ temperature: 21 }, at(5));
  await publish({ temperature: 1, battery: 80 }, at(3)); // late: its temperature is older than the one that is known
  const shadow = async () => (await it.manage<{ items: unknown[] }>("GET", `/devices/${deviceId}/shadow`)).body.items;
  const expected = [{ serviceId: "Climate", reported: { temperature: 21, humidity: 40, battery: 80 } }];
  expect(await shadow()).toMatchObject(expected);
  const before = await shadow();
  await islet.crash();
  await device.endAsync(true);

  islet = await startIslet({ data: folder.path });
  await using _ = islet;
  const again = await setUp(islet, "second");
  const after = await again.manage<{ items: unknown[] }>("GET", `/devices/${deviceId}/shadow`);
  expect(after.body.items).toEqual(before);
  // Goes on from there, without what was known being lost.
  device = await connectDevice(islet, registered);
  await publish({ humidity: 41 }, at(9));
  expect((await again.manage<{ items: unknown[] }>("GET", `/devices/${deviceId}/shadow`)).body.items).toMatchObject([
    { reported: { temperature: 21, humidity: 41, battery: 80 } },
  ]);
  await device.endAsync();
});

test("a pass-through product stores nothing and forwards everything", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const product = await it.manage<{ productId: string }>("POST", `/apps/${it.appId}/products`, {
    devicetype: {
      devices: [
        {
          manufacturerId: "Example",
          manufacturerName: "Example",
          model: "Anything1",
          deviceType: "Anything",
          protocolType: "MQTT",
          serviceTypeCapabilities: [],
        },
      ],
    },
    servicetypes: [],
  });
  expect(product.status).toBe(201);
  await it.app("POST", "/iocm/app/sub/v1.2.0/subscriptions", {
    notifyType: "deviceDataChanged",
    callbackUrl: receiver.url("/d"),
  });
  const { body: registered } = await it.app<{ deviceId: string; secret: string }>(
    "POST",
    "/iocm/app/reg/v2.0.0/deviceCredentials",
    { deviceInfo: { nodeId: "free" }, productId: product.body.productId, mqttConnect: true },
  );
  const device = await connectDevice(islet, registered);
  const data = { anything: ["goes", { deep: true }] };
  await device.publishAsync(dataTopic(registered.deviceId), report("Whatever", data, at(1)), { qos: 1 });
  expect(await receiver.until(() => true)).toMatchObject({
    deviceId: registered.deviceId,
    service: { serviceId: "Whatever", data, eventTime: at(1) },
  });
  const { deviceId } = registered;
  expect((await history(it, { deviceId, gatewayId: deviceId })).body).toMatchObject({ totalCount: 0 });
  expect((await it.manage("GET", `/devices/${deviceId}/shadow`)).body).toMatchObject({ total: 0 });
  await device.endAsync();
});

test("history goes when its time is over; a device with a time of its own keeps it; the shadow stays", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({
    data: folder.path,
    settings: {
      "history.history_keep_ms": "1500",
      "history.purge_interval_ms": "50",
      "history.recent_max_age_ms": "100",
    },
  });
  const it = await setUp(islet);
  const [kept, gone] = [await it.register("kept"), await it.register("gone")];
  const changed = await it.app("PUT", `/iocm/app/dm/v1.4.0/devices/${kept.deviceId}`, {
    deviceConfig: { dataConfig: { dataAgingTime: 1 } },
  });
  expect(changed.status).toBe(204);
  for (const registered of [kept, gone]) {
    const device = await connectDevice(islet, registered);
    await device.publishAsync(dataTopic(registered.deviceId), report("Climate", values(7)), { qos: 1 });
    await device.endAsync();
  }
  const totalOf = async ({ deviceId }: { deviceId: string }) => (await history(it, { deviceId })).body.totalCount;
  expect(await totalOf(gone)).toBe(1);
  expect(
    await eventually(
      () => totalOf(gone),
      (total) => total === 0,
    ),
  ).toBe(0);
  expect(await totalOf(kept)).toBe(1);
  const { body } = await it.manage<{ items: unknown[] }>("GET", `/devices/${gone.deviceId}/shadow`);
  expect(body.items).toMatchObject([{ reported: values(7) }]);
  const metrics = await (await fetch(`http://${islet.ready.http}/metrics`)).text();
  expect(metrics).toMatch(/islet_purged_rows_total\{task="history"\} 1\b/);
});

test("what is refused is acknowledged, counted and traced with its reason; what fits beside it is stored", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "trace.max_per_second_each": "100" } });
  const it = await setUp(islet);
  const registered = await it.register("misfit");
  const { deviceId } = registered;
  const device = await connectDevice(islet, registered);
  const entry = (serviceData: unknown, serviceId: unknown = "Climate") => ({ serviceId, serviceData });
  const send = (body: unknown) =>
    device.publishAsync(dataTopic(deviceId), typeof body === "string" ? body : JSON.stringify(body), { qos: 1 });
  const reports = (...data: unknown[]) => send({ msgType: "deviceReq", data });
  await reports(entry({ temperature: "warm" }), entry({ battery: 1 }));
  await reports(entry({ temperature: 126 }));
  await reports(entry({ humidity: 1.5 }));
  await reports(entry({ pressure: 1 }));
  await reports(entry({ temperature: 1 }, "Nothing"));
  await reports(entry([]));
  await reports(entry({ temperature: 1 }, 5));
  await send({ msgType: "deviceReq", data: "none" });
  await send({ msgType: "somethingElse" });
  await send("{");
  await send("[]");
  await device.publishAsync(`/huawei/v1/devices/${deviceId}/data/binary`, Buffer.from([1, 2]), { qos: 1 });
  expect(numbers((await history(it, { deviceId, pageSize: 10 })).body)).toEqual([1]);

  type Trace = { items: { outcome: string; reason: string; detail?: string }[] };
  const { body } = await eventually(
    () => it.manage<Trace>("GET", `/devices/${deviceId}/trace?pageSize=100`),
    (answer) => answer.body.items.filter(({ outcome }) => outcome === "failed").length >= 12,
  );
  const told = body.items
    .filter(({ outcome }) => outcome === "failed")
    .map(({ reason, detail }) => `${reason} ${detail ?? ""}`);
  expect(told.reverse()).toEqual([
    "misfit Climate: temperature: is not a number",
    "misfit Climate: temperature: 126 is over the maximum 125",
    "misfit Climate: humidity: is not a whole number",
    "misfit Climate: pressure: is not a property of Climate",
    "unknown_service Nothing: not in the product model",
    "service_data_invalid data[0].serviceData is a list",
    "service_id_invalid data[0].serviceId is number",
    "data_invalid data is string, not a list",
    'msg_type_unknown msgType "somethingElse"',
    "payload_not_json ",
    "payload_not_object ",
    "codec_missing the product has no codec",
  ]);
  const metrics = await (await fetch(`http://${islet.ready.http}/metrics`)).text();
  for (const [labels, count] of [
    ['outcome="stored",reason="fits"', 1],
    ['outcome="refused",reason="misfit"', 4],
    ['outcome="refused",reason="unknown_service"', 1],
  ])
    expect(metrics).toContain(`islet_reports_total{${labels}} ${count}\n`);
  await device.endAsync();
});

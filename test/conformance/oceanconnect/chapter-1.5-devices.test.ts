import { expect, test } from "bun:test";
import { commandTopic, connectDevice } from "../../support/device";
import { eventually } from "../../support/eventually";
import { callerRows, NAMED_403, USUAL } from "./caller-rows";
import { codeOf, testChapter } from "./chapter";
import { DEVICE_SETTINGS, type DeviceWorld, furnishDevices, MAX_FROZEN, named } from "./device-world";

testChapter<DeviceWorld>({
  chapters: ["1.5"],
  sections: ["1.5.4", "1.5.5", "1.5.6"],
  settings: DEVICE_SETTINGS,
  furnish: furnishDevices,
  endpoints: [
    {
      section: "1.5.4",
      async works({ ask, get, modify, show, addMeter, meter }) {
        const deviceId = await addMeter();
        const info = {
          name: "Cellar",
          location: "x".repeat(1_024),
          manufacturerName: "Other",
          model: "M2",
          deviceType: "T",
        };
        const body = {
          ...{
            ...info,
            manufacturerId: "O",
            protocolType: "LWM2M",
            productId: meter,
            endUser: null,
            organization: "O",
          },
          ...{ region: "R", timezone: "Asia/Shanghai", imsi: "460", ip: "10.0.0.1", mute: "TRUE", isSecure: "true" },
          ...{ psk: "00aaFF11", tags: [{ tagName: "floor", tagValue: "1", tagType: "2" }] },
          customFields: [{ fieldName: "f", fieldType: "t", fieldValue: { any: [1] } }],
          deviceConfig: { dataConfig: { dataAgingTime: "30" } },
        };
        const seen = await ask(modify(deviceId, body));
        expect([seen.status, seen.text]).toEqual([204, ""]);
        const shown = await get<{ deviceInfo: object }>({
          ...show(deviceId),
          path: `${show(deviceId).path}?select=imsi`,
        });
        expect(shown.deviceInfo).toMatchObject({ ...info, imsi: "460", mute: "TRUE", isSecurity: "TRUE" });
      },
      rows: [
        { line: "200 100203", cannot: "100203 is listed with 200, 403 and 500; here it is 403 or 500, as at 1.5.3." },
        { line: "400 100022", provoke: ({ ask, modify, meterId }) => ask(modify(meterId, { name: "" })) },
        { line: "400 100440", provoke: ({ ask, modify, meterId }) => ask(modify(meterId, { isSecure: "perhaps" })) },
        { line: "400 50400", provoke: ({ ask, modify, meterId }) => ask(modify(meterId, "{")) },
        {
          line: "403 500004",
          async provoke({ ask, get, modify, nonSecure: { owner, add } }) {
            const devices = await Promise.all([...Array(MAX_FROZEN + 1)].map(() => add(true)));
            const [last = { deviceId: "" }, ...others] = devices;
            for (const { deviceId } of others) await get(modify(deviceId, { mute: "TRUE" }), owner);
            return ask(modify(last.deviceId, { mute: "TRUE" }), owner);
          },
        },
        { line: "404 100403", provoke: ({ ask, modify, unknown }) => ask(modify(unknown)) },
        { line: "404 100418", provoke: ({ ask, modify, editable, unknown }) => ask(named(modify(unknown), editable)) },
        {
          line: "500 100441",
          async provoke({ ask, modify, nonSecure: { owner, add } }) {
            const { deviceId } = await add(true);
            return ask(modify(deviceId, { isSecure: false }), owner);
          },
        },
        { line: "500 50252", provoke: ({ ask, modify, faulty }) => ask(modify(faulty.deviceId), faulty.owner) },
        ...callerRows<DeviceWorld>(({ modify, meterId }) => modify(meterId), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.5.5",
      async works({ ask, manage, get, remove, show, caller, hub, next }) {
        const behind = async (gatewayId?: string) => {
          const made = await manage<{ deviceId: string }>("POST", `/apps/${caller.appId}/devices`, {
            ...{ nodeId: next("node"), productId: hub, ...(gatewayId && { gatewayId }) },
          });
          return made.body.deviceId;
        };
        for (const [query, isLeft] of [
          ["", false],
          ["?cascade=true", false],
          ["?cascade=FALSE", true],
        ] as const) {
          const gateway = await behind();
          const child = await behind(gateway);
          const seen = await ask({ method: "DELETE", path: remove(gateway).path + query });
          expect([seen.status, seen.text]).toEqual([204, ""]);
          expect((await ask(show(gateway))).status).toBe(404);
          if (isLeft) expect(await get(show(child))).toMatchObject({ gatewayId: child });
          else expect((await ask(show(child))).status).toBe(404);
        }
      },
      rows: [
        { line: "404 100403", provoke: ({ ask, remove, unknown }) => ask(remove(unknown)) },
        { line: "404 100418", provoke: ({ ask, remove, editable, unknown }) => ask(named(remove(unknown), editable)) },
        { line: "500 50252", provoke: ({ ask, remove, faulty }) => ask(remove(faulty.deviceId), faulty.owner) },
        ...callerRows<DeviceWorld>(({ remove, meterId }) => remove(meterId), { ...USUAL, ...NAMED_403 }),
      ],
    },
    {
      section: "1.5.6",
      async works({ islet, ask, get, newSensor, manage, show, caller, hub, next }) {
        const gateway = await get<{ deviceId: string; secret: string }>(newSensor(undefined, { productId: hub }));
        const { deviceId: gatewayId } = gateway;
        const made = await manage<{ deviceId: string }>("POST", `/apps/${caller.appId}/devices`, {
          ...{ nodeId: next("node"), productId: hub, gatewayId },
        });
        const { deviceId } = made.body;
        const client = await connectDevice(islet, gateway);
        client.on("message", () => {
          const devices = [{ deviceId }];
          client.publish(
            `/islet/v1/devices/${gatewayId}/sub-devices/request`,
            JSON.stringify({ type: "delete", devices }),
          );
        });
        await client.subscribeAsync(commandTopic(gatewayId));
        const path = `/iocm/app/signaltrans/v1.1.0/devices/${gatewayId}/services/Manage/sendCommand`;
        const seen = await ask({ method: "POST", path, body: { header: { mode: "ACK", method: "REMOVE" }, body: {} } });
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          202,
          { status: "sent", requestId: expect.any(String), timestamp: expect.any(String) },
        ]);
        await eventually(
          () => ask(show(deviceId)),
          ({ status }) => status === 404,
        );
        await client.endAsync();
      },
      rows: [],
    },
  ],
  more(world) {
    const long = (length: number) => "x".repeat(length);
    test("1.5.4 takes what is just allowed", async () => {
      const { get, modify, addMeter } = world();
      const deviceId = await addMeter();
      const info = ["deviceType", "endUser", "manufacturerId", "manufacturerName", "model", "name"];
      const texts = [...info, "organization", "region", "timezone"];
      for (const length of [1, 256])
        await get(modify(deviceId, Object.fromEntries(texts.map((it) => [it, long(length)]))));
      const longest = { imsi: long(64), ip: long(128), tags: [{ tagName: long(128), tagValue: long(1_024) }] };
      await get(modify(deviceId, { ...longest, customFields: [{ fieldName: long(256), fieldType: long(256) }] }));
      for (const dataAgingTime of [0, 90])
        await get(modify(deviceId, { deviceConfig: { dataConfig: { dataAgingTime } } }));
    });

    test("1.5.4 is checked in this order: caller, throttle, application, right, parameters, existence, state", async () => {
      const { send, ask, signed, caller, throttled, stranger, editable, modify, unknown, nonSecure } = world();
      const bad = { name: "" };
      const wrong = named(modify(unknown, bad), { appId: "nobody" });
      const { deviceId } = await nonSecure.add(true);
      expect([
        codeOf(await send(wrong, {})),
        codeOf(await ask(wrong, { ...throttled, token: "x" })),
        codeOf(await ask(wrong, throttled)),
        codeOf(await send(wrong, signed(caller))),
        codeOf(await ask(named(modify(unknown, bad), stranger))),
        codeOf(await ask(named(modify(unknown, bad), editable))),
        codeOf(await ask(named(modify(unknown, { isSecure: false }), editable))),
        codeOf(await ask(modify(deviceId, { isSecure: false }), nonSecure.owner)),
      ]).toEqual(["100025", "1010005", "1010009", "100203", "100217", "100022", "100418", "100441"]);
    });
  },
});

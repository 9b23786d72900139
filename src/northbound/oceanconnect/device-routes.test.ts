import { describe, expect, test } from "bun:test";
import type { DomainErrorCode } from "../../platform/domain-error";
import { failing, harness } from "./testing/harness";
import { type CallSection, REQUESTS } from "./testing/requests";

const long = (length: number) => "x".repeat(length);
const MODEL = {
  manufacturerId: "M1",
  manufacturerName: "Maker",
  deviceType: "WaterMeter",
  model: "W1",
  protocolType: "MQTT",
};
const sent = (section: CallSection, body: unknown) => {
  const h = harness();
  const { method, path } = REQUESTS[section];
  return h.call(method, path, body).then((answer) => ({ ...h, answer }));
};

describe("1.5.1 registers", () => {
  const right = { nodeId: "n", productId: "p" };
  test("by productId; the code and the psk are made", async () => {
    const { answer, devices } = await sent("1.5.1", right);
    expect([answer.status, answer.text]).toEqual([
      200,
      '{"deviceId":"p1_node-1","psk":"00ff","timeout":0,"verifyCode":"made"}',
    ]);
    expect(devices.register.mock.calls).toEqual([
      [
        "app-1" as never,
        {
          nodeId: "n",
          product: { productId: "p" },
          credentials: { kind: "verifyCode", verifyCode: undefined, psk: undefined },
          info: {},
          isSecure: undefined,
          timeoutS: undefined,
        },
      ],
    ]);
  });
  test.each(["CoAP", "LWM2M"])(
    "by the model of a %s product, with everything that can be said",
    async (protocolType) => {
      const { answer, devices } = await sent("1.5.1", {
        deviceInfo: { ...MODEL, protocolType },
        endUserId: "u",
        imsi: "460",
        isSecure: "true",
        nodeId: "urn:imei:861234500000017",
        psk: "00aaFF11",
        timeout: "300",
        verifyCode: "AE10",
        productId: "",
        deviceName: "Meter",
      });
      expect(answer.json.verifyCode).toBe("AE10");
      expect(devices.register.mock.calls[0]?.[1]).toEqual({
        nodeId: "urn:imei:861234500000017",
        product: { ...MODEL, protocolType },
        credentials: { kind: "verifyCode", verifyCode: "AE10", psk: "00aaFF11" },
        info: { name: "Meter", endUser: "u", imsi: "460" },
        isSecure: true,
        timeoutS: 300,
      });
    },
  );
  test.each([
    ["no nodeId", { productId: "p" }, "nodeId"],
    ["an empty nodeId", { ...right, nodeId: "" }, "nodeId"],
    ["a long nodeId", { ...right, nodeId: long(257) }, "nodeId"],
    ["no product", { nodeId: "n" }, "productId"],
    ["half a model", { nodeId: "n", deviceInfo: { ...MODEL, protocolType: "CoAP", model: null } }, "productId"],
    ["another protocol", { ...right, deviceInfo: { protocolType: "MQTT" } }, "deviceInfo.protocolType"],
    ["deviceInfo that is a text", { ...right, deviceInfo: "x" }, "deviceInfo"],
    ["a long manufacturerId", { ...right, deviceInfo: { manufacturerId: long(257) } }, "deviceInfo.manufacturerId"],
    ["a long endUserId", { ...right, endUserId: long(257) }, "endUserId"],
    ["an empty imsi", { ...right, imsi: "" }, "imsi"],
    ["a long imsi", { ...right, imsi: long(65) }, "imsi"],
    ["isSecure perhaps", { ...right, isSecure: "perhaps" }, "isSecure"],
    ["a short psk", { ...right, psk: "0123456" }, "psk"],
    ["a long psk", { ...right, psk: "0".repeat(33) }, "psk"],
    ["a psk that is not hex", { ...right, psk: "0123456g" }, "psk"],
    ["a negative timeout", { ...right, timeout: -1 }, "timeout"],
    ["a timeout without end", { ...right, timeout: 2_147_483_648 }, "timeout"],
    ["a long productId", { ...right, productId: long(257) }, "productId"],
    ["a long deviceName", { ...right, deviceName: long(257) }, "deviceName"],
  ])("not with %s, and says where", async (_name, body, field) => {
    const { answer, devices } = await sent("1.5.1", body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: "50400", error_desc: "The input is invalid." } });
    expect(answer.json.error_detail.issues[0].field).toBe(field);
    expect(devices.register).not.toHaveBeenCalled();
  });
  test.each([[""], [long(257)], [7], ["\ud800"]])("not with the verification code %j", async (verifyCode) => {
    const { answer, devices } = await sent("1.5.1", { ...right, verifyCode });
    expect(answer).toMatchObject({ status: 400, json: { error_code: "100003" } });
    expect(devices.register).not.toHaveBeenCalled();
  });
});

test.each([
  ["PRODUCT_NOT_FOUND", 403, "600002"],
  ["DEVICE_ALREADY_BOUND", 400, "100416"],
  ["NODE_ID_TAKEN", 400, "100426"],
  ["VERIFY_CODE_INVALID", 400, "100003"],
  ["DEVICE_LIMIT_REACHED", 500, "100412"],
  ["NON_SECURE_LIMIT_REACHED", 500, "100441"],
  ["INPUT_INVALID", 400, "50400"],
] as const)("1.5.1: %s is %d %s", async (code, status, error_code) => {
  const h = harness();
  h.devices.register.mockImplementation(failing(code));
  const { method, path, body } = REQUESTS["1.5.1"];
  expect(await h.call(method, path, body)).toMatchObject({ status, json: { error_code } });
  expect(h.faults).toEqual([]);
});

describe("1.5.2 registers", () => {
  test("by productId, with a secret that is made", async () => {
    const { answer, devices } = await sent("1.5.2", REQUESTS["1.5.2"].body);
    expect(answer).toMatchObject({ status: 200 });
    expect(answer.text).toBe('{"deviceId":"p1_node-1","psk":"00ff","secret":"0123456789abcdef0123"}');
    expect(devices.register.mock.calls).toEqual([
      [
        "app-1" as never,
        {
          nodeId: "node-1",
          product: { productId: "p1" },
          credentials: { kind: "password", secret: undefined },
          info: { name: "Meter 1" },
        },
      ],
    ]);
  });

  test("by the model, with everything that can be said", async () => {
    const who = { endUserId: "u", organization: "o", region: "r", timezone: "Asia/Shanghai" };
    const body = {
      deviceInfo: { nodeId: "n", name: null, ...MODEL },
      ...who,
      mqttConnect: "true",
      secret: "ABCDEF0123456789abcd",
    };
    const { answer, devices } = await sent("1.5.2", body);
    expect(answer.json.secret).toBe("ABCDEF0123456789abcd");
    expect(devices.register.mock.calls[0]?.[1]).toEqual({
      nodeId: "n",
      product: MODEL,
      credentials: { kind: "password", secret: "ABCDEF0123456789abcd" },
      info: { endUser: "u", organization: "o", region: "r", timezone: "Asia/Shanghai" },
    });
  });

  test.each([["mqttConnect left out", { deviceInfo: { nodeId: "n" }, productId: "p" }]])(
    "with %s",
    async (_n, body) => {
      expect((await sent("1.5.2", body)).answer.status).toBe(200);
    },
  );

  const right = { deviceInfo: { nodeId: "n" }, productId: "p" };
  test.each([
    ["{}", {}, "deviceInfo"],
    ["no nodeId", { ...right, deviceInfo: {} }, "deviceInfo.nodeId"],
    ["an empty nodeId", { ...right, deviceInfo: { nodeId: "" } }, "deviceInfo.nodeId"],
    ["a long nodeId", { ...right, deviceInfo: { nodeId: long(257) } }, "deviceInfo.nodeId"],
    ["half a character in nodeId", { ...right, deviceInfo: { nodeId: "\ud800" } }, "deviceInfo.nodeId"],
    ["a number as nodeId", { ...right, deviceInfo: { nodeId: 7 } }, "deviceInfo.nodeId"],
    ["no product", { deviceInfo: { nodeId: "n" } }, "productId"],
    ["an empty product", { deviceInfo: { nodeId: "n" }, productId: "" }, "productId"],
    ["half a model", { deviceInfo: { nodeId: "n", ...MODEL, model: null } }, "productId"],
    ["another protocol", { deviceInfo: { nodeId: "n", ...MODEL, protocolType: "CoAP" } }, "deviceInfo.protocolType"],
    ["mqttConnect false", { ...right, mqttConnect: false }, "mqttConnect"],
    ["mqttConnect perhaps", { ...right, mqttConnect: "perhaps" }, "mqttConnect"],
    ["a short secret", { ...right, secret: "0123456789abcdef012" }, "secret"],
    ["a secret of other letters", { ...right, secret: "0123456789abcdef012g" }, "secret"],
    ["a long region", { ...right, region: long(257) }, "region"],
    ["a long endUserId", { ...right, endUserId: long(257) }, "endUserId"],
    ["a long organization", { ...right, organization: long(257) }, "organization"],
    ["a long timezone", { ...right, timezone: long(257) }, "timezone"],
    ["a long productId", { ...right, productId: long(257) }, "productId"],
  ])("not with %s, and says where", async (_name, body, field) => {
    const { answer, devices } = await sent("1.5.2", body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: "50400", error_desc: "The input is invalid." } });
    expect(answer.json.error_detail.issues[0].field).toBe(field);
    expect(devices.register).not.toHaveBeenCalled();
  });
});

test.each([
  ["PRODUCT_NOT_FOUND", 403, "600002"],
  ["NODE_ID_TAKEN", 400, "100426"],
  ["DEVICE_LIMIT_REACHED", 500, "100412"],
  ["NON_SECURE_LIMIT_REACHED", 500, "100412"],
  ["INPUT_INVALID", 400, "50400"],
] as const)("1.5.2: %s is %d %s", async (code, status, error_code) => {
  const h = harness();
  h.devices.register.mockImplementation(failing(code));
  const { method, path, body } = REQUESTS["1.5.2"];
  expect(await h.call(method, path, body)).toMatchObject({ status, json: { error_code } });
  expect(h.faults).toEqual([]);
});

describe("1.5.3 refreshes credentials", () => {
  test("with all fields, numbers as text too", async () => {
    const { answer, devices } = await sent("1.5.3", { nodeId: "n2", timeout: "300", verifyCode: "AE10" });
    expect([answer.status, answer.text]).toEqual([200, '{"verifyCode":"AE10","timeout":300}']);
    expect(devices.refreshCredentials.mock.calls).toEqual([[11, { nodeId: "n2", timeoutS: 300, verifyCode: "AE10" }]]);
  });
  test("with none, by the defaults of the service", async () => {
    const { answer, devices } = await sent("1.5.3", { nodeId: null });
    expect(answer.json).toEqual({ verifyCode: "made", timeout: 180 });
    expect(devices.refreshCredentials.mock.calls).toEqual([
      [11, { nodeId: undefined, timeoutS: undefined, verifyCode: undefined }],
    ]);
  });
  test.each([
    [{ timeout: -1 }, "50400"],
    [{ timeout: 2_147_483_648 }, "50400"],
    [{ timeout: 1.5 }, "50400"],
    [{ timeout: "soon" }, "50400"],
    [{ nodeId: "" }, "50400"],
    [{ nodeId: long(257) }, "50400"],
    [{ verifyCode: "" }, "100003"],
    [{ verifyCode: long(257) }, "100003"],
    [{ verifyCode: 7 }, "100003"],
  ])("not with %j", async (body, code) => {
    const { answer, devices } = await sent("1.5.3", body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: code } });
    expect(devices.refreshCredentials).not.toHaveBeenCalled();
  });
  test.each([
    ["DEVICE_NOT_ACTIVE", 400, "100610"],
    ["DEVICE_ONLINE", 400, "100611"],
    ["NODE_ID_TAKEN", 400, "100426"],
    ["VERIFY_CODE_INVALID", 400, "100003"],
  ] as const)("%s is %d %s", async (code, status, error_code) => {
    const h = harness();
    h.devices.refreshCredentials.mockImplementation(failing(code));
    const { method, path } = REQUESTS["1.5.3"];
    expect(await h.call(method, path, {})).toMatchObject({ status, json: { error_code } });
  });
});

describe("1.5.4 modifies", () => {
  test("every field", async () => {
    const info = {
      deviceType: "WaterMeter",
      endUser: null,
      location: long(1_024),
      manufacturerId: "M",
      manufacturerName: "N",
      model: "X",
      name: "Name",
      organization: "O",
      protocolType: "MQTT",
      region: "R",
      timezone: "Asia/Shanghai",
      imsi: "460",
      ip: "10.0.0.1",
    };
    const { answer, devices } = await sent("1.5.4", {
      ...info,
      customFields: [{ fieldName: "f", fieldType: "t", fieldValue: { any: [1] } }, {}],
      deviceConfig: { dataConfig: { dataAgingTime: "30" } },
      productId: "p2",
      mute: "TRUE",
      isSecure: "false",
      psk: "00aaFF11",
      tags: [
        { tagName: "n", tagValue: "v", tagType: 2 },
        { tagName: "m", tagValue: "w" },
      ],
    });
    expect([answer.status, answer.text]).toEqual([204, ""]);
    expect(devices.modify.mock.calls).toEqual([
      [
        11,
        {
          info,
          productId: "p2",
          muted: true,
          isSecure: false,
          psk: "00aaFF11",
          tags: [
            { tagName: "n", tagValue: "v", tagType: 2 },
            { tagName: "m", tagValue: "w" },
          ],
          customFields: [{ fieldName: "f", fieldType: "t", fieldValue: { any: [1] } }, {}],
          dataAgingDays: 30,
        },
      ],
    ]);
  });
  test("nothing, when nothing is said", async () => {
    const { answer, devices } = await sent("1.5.4", { name: null, deviceConfig: {}, mute: null, isSecure: null });
    expect(answer.status).toBe(204);
    expect(devices.modify.mock.calls).toEqual([[11, { info: {} }]]);
  });
  test.each([
    [{ name: "" }, "100022"],
    [{ name: long(257) }, "100022"],
    [{ location: long(1_025) }, "100022"],
    [{ mute: "true" }, "100022"],
    [{ mute: true }, "100022"],
    [{ protocolType: "LoRaWAN" }, "100022"],
    [{ imsi: long(65) }, "100022"],
    [{ ip: long(129) }, "100022"],
    [{ psk: "0123456" }, "100022"],
    [{ psk: long(33) }, "100022"],
    [{ psk: "0123456g" }, "100022"],
    [{ deviceConfig: { dataConfig: { dataAgingTime: 91 } } }, "100022"],
    [{ deviceConfig: { dataConfig: { dataAgingTime: -1 } } }, "100022"],
    [{ deviceConfig: "x" }, "100022"],
    [{ tags: [{ tagName: "n" }] }, "100022"],
    [{ tags: [{ tagName: long(129), tagValue: "v" }] }, "100022"],
    [{ tags: [{ tagName: "n", tagValue: long(1_025) }] }, "100022"],
    [{ tags: [{ tagName: "n", tagValue: "v", tagType: "x" }] }, "100022"],
    [{ tags: {} }, "100022"],
    [{ customFields: [{ fieldName: long(257) }] }, "100022"],
    [{ customFields: [7] }, "100022"],
    [{ isSecure: "perhaps" }, "100440"],
    [{ isSecure: 1 }, "100440"],
  ])("not with %j", async (body, code) => {
    const { answer, devices } = await sent("1.5.4", body);
    expect(answer).toMatchObject({ status: 400, json: { error_code: code } });
    expect(devices.modify).not.toHaveBeenCalled();
  });
  test.each([
    ["FROZEN_LIMIT_REACHED", 403, "500004"],
    ["NON_SECURE_LIMIT_REACHED", 500, "100441"],
    ["PRODUCT_NOT_FOUND", 400, "100022"],
    ["DEVICE_NOT_FOUND", 404, "100403"],
  ] as const)("%s is %d %s", async (code, status, error_code) => {
    const h = harness();
    h.devices.modify.mockImplementation(failing(code));
    const { method, path, body } = REQUESTS["1.5.4"];
    expect(await h.call(method, path, body)).toMatchObject({ status, json: { error_code } });
  });
});

describe("1.5.5 deletes", () => {
  const { method, path } = REQUESTS["1.5.5"];
  test.each([
    ["", true],
    ["?cascade=true", true],
    ["?cascade=", true],
    ["?cascade=false", false],
    ["?cascade=FALSE", false],
  ])("%s cascades: %p", async (query, cascade) => {
    const h = harness();
    expect(await h.call(method, path + query)).toMatchObject({ status: 204, text: "" });
    expect(h.devices.delete.mock.calls).toEqual([[11, { cascade }]]);
  });
  test("not with an unclear cascade", async () => {
    const h = harness();
    expect(await h.call(method, `${path}?cascade=no`)).toMatchObject({ status: 400, json: { error_code: "100022" } });
    expect(h.devices.delete).not.toHaveBeenCalled();
  });
});

test("1.5.7 tells the activation", async () => {
  const h = harness();
  const { method, path } = REQUESTS["1.5.7"];
  expect((await h.call(method, path)).text).toBe('{"deviceId":"p1_node-1","activated":false,"name":"Meter 1"}');
});

const UNKNOWN_DEVICE: [CallSection, plain: [number, string], named: [number, string]][] = [
  ["1.5.3", [404, "100403"], [404, "100418"]],
  ["1.5.4", [404, "100403"], [404, "100418"]],
  ["1.5.5", [404, "100403"], [404, "100418"]],
  ["1.5.7", [404, "100403"], [404, "100403"]],
  ["1.5.8", [404, "100403"], [404, "100418"]],
  ["1.5.9", [404, "100418"], [404, "100418"]],
  ["1.6.4", [404, "100403"], [404, "100418"]],
  ["1.6.1", [404, "100403"], [404, "100418"]],
  ["1.6.3", [200, "100418"], [200, "100418"]],
];
test.each(UNKNOWN_DEVICE)(
  "%s of an unknown device is %j, and %j when an application was named",
  async (section, plain, named) => {
    const { method, path, body } = REQUESTS[section];
    const other = path.replace("p1_node-1", "p1_other");
    const h = harness();
    const first = await h.call(method, other, body);
    const second = await h.call(method, `${other}${other.includes("?") ? "&" : "?"}appId=app-1`, body);
    expect([first.status, first.json.error_code]).toEqual(plain);
    expect([second.status, second.json.error_code]).toEqual(named);
    expect(h.effects()).toBe(0);
  },
);

test("parameters are looked at before the device", async () => {
  const h = harness();
  const bad: [CallSection, unknown, DomainErrorCode | string][] = [
    ["1.5.3", { timeout: -1 }, "50400"],
    ["1.5.4", { mute: "x" }, "100022"],
  ];
  for (const [section, body, code] of bad) {
    const { method, path } = REQUESTS[section];
    expect((await h.call(method, path.replace("p1_node-1", "nobody"), body)).json.error_code).toBe(code);
  }
  expect(h.devices.get).not.toHaveBeenCalled();
});

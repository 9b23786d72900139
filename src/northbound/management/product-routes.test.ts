import { describe, expect, test } from "bun:test";
import { AT_TEXT, startApi } from "./testing/fake-ports";

const SUMMARY = {
  productId: "p1",
  appId: "app1",
  name: "Sensor",
  manufacturerId: "M",
  manufacturerName: "Maker",
  model: "S1",
  deviceType: "Sensor",
  protocolType: "MQTT",
  serviceIds: ["Climate"],
  createdAt: AT_TEXT,
};
const RESOURCE = {
  ...SUMMARY,
  omCapability: null,
  topics: [],
  services: [
    {
      serviceId: "Climate",
      serviceType: "Climate",
      option: "Mandatory",
      properties: [{ name: "temperature", dataType: "decimal", required: true, min: -40, max: 125, method: "R" }],
      commands: [{ name: "SET", paras: [], responses: [{ name: "SET_RSP", paras: [] }] }],
    },
  ],
};

function upload(...parts: [name: string, value: File | string][]) {
  const form = new FormData();
  for (const [name, value] of parts) {
    if (typeof value === "string") form.append(name, value);
    else form.append(name, value, value.name);
  }
  return form;
}

describe("POST /apps/{appId}/products", () => {
  test("takes a ZIP with its name", async () => {
    const { ask, calls } = startApi();
    const { status, body } = await ask(
      "POST",
      "/apps/app1/products",
      upload(["file", new File(["zip bytes"], "S_M_S1.zip")]),
    );
    expect([status, body]).toEqual([201, RESOURCE]);
    expect(calls).toEqual([["importZip", "app1", "S_M_S1.zip", "zip bytes"]]);
  });
  test("takes the files as JSON", async () => {
    const { ask, calls } = startApi();
    const profile = { devicetype: { devices: [] }, servicetypes: [{ services: [] }] };
    const { status, body } = await ask("POST", "/apps/app1/products", profile);
    expect([status, body]).toEqual([201, RESOURCE]);
    expect(calls).toEqual([["importJson", "app1", profile]]);
  });
  test.each([
    ["no file", upload(["name", "x"]), 400, "INPUT_INVALID"],
    ["text where the file should be", upload(["file", "x"]), 400, "INPUT_INVALID"],
    ["two files", upload(["file", new File(["a"], "a")], ["file", new File(["b"], "b")]), 400, "INPUT_INVALID"],
    ["a field too many", upload(["file", new File(["a"], "a")], ["x", "y"]), 400, "INPUT_INVALID"],
    ["JSON without service types", { devicetype: {} }, 400, "INPUT_INVALID"],
    ["JSON with an unknown field", { devicetype: {}, servicetypes: [], x: 1 }, 400, "INPUT_INVALID"],
    ["nothing", undefined, 400, "REQUIRED_MISSING"],
  ])("refuses %s", async (_name, body, status, code) => {
    const { ask, calls } = startApi();
    const answer = await ask("POST", "/apps/app1/products", body);
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(calls).toEqual([]);
  });
  test.each([
    ["a bare ZIP", "application/zip", "PK", 415],
    ["a form that is cut off", "multipart/form-data; boundary=x", "--x\r\nContent-Disp", 400],
  ])("refuses %s", async (_name, type, body, status) => {
    const { ask, calls } = startApi();
    expect((await ask("POST", "/apps/app1/products", body, { "content-type": type })).status).toBe(status);
    expect(calls).toEqual([]);
  });
  test("tells why a model was refused, and where", async () => {
    const { status, body } = await startApi().ask(
      "POST",
      "/apps/app1/products",
      upload(["file", new File(["x"], "bad.zip")]),
    );
    expect([status, body]).toMatchObject([
      422,
      { code: "PRODUCT_INVALID", detail: "no", details: { file: "x.json", path: "$.a" } },
    ]);
  });
  test("needs the application", async () => {
    const { ask, calls } = startApi();
    const answer = await ask("POST", "/apps/other/products", { devicetype: {}, servicetypes: [] });
    expect([answer.status, calls]).toEqual([404, []]);
  });
});

test("GET lists summaries, GET one has the model", async () => {
  const { ask, calls } = startApi();
  expect((await ask("GET", "/apps/app1/products?page=2")).body).toEqual({ items: [SUMMARY], total: 41 });
  expect(calls).toEqual([["list", "app1", 1, 50]]);
  expect((await ask("GET", "/products/p1")).body).toEqual(RESOURCE);
  expect((await ask("GET", "/products/other")).body.code).toBe("PRODUCT_NOT_FOUND");
});

describe("PATCH /products/{productId}", () => {
  const topics = [{ name: "up", permission: "publish" }];
  test.each([
    [{ omCapability: null }, ["setOmCapability", "p1", null]],
    [
      { omCapability: { configCapability: { supportConfig: true } } },
      ["setOmCapability", "p1", { configCapability: { supportConfig: true } }],
    ],
    [{ topics }, ["setTopics", "p1", topics]],
    [{ topics: [] }, ["setTopics", "p1", []]],
  ])("%j", async (body, call) => {
    const { ask, calls } = startApi();
    expect((await ask("PATCH", "/products/p1", body)).status).toBe(200);
    expect(calls).toEqual([call as never]);
  });
  test.each([
    [{}],
    [{ topics, omCapability: null }], // one transaction each: both at once could end half done
    [{ name: "x" }],
    [{ topics: [{ name: "up", permission: "read" }] }],
    [{ omCapability: [] }],
  ])("%j is refused", async (body) => {
    const { ask, calls } = startApi();
    expect((await ask("PATCH", "/products/p1", body)).body.code).toBe("INPUT_INVALID");
    expect(calls).toEqual([]);
  });
});

test("DELETE /products/{productId}", async () => {
  const { ask, calls } = startApi();
  expect((await ask("DELETE", "/products/p1")).status).toBe(204);
  expect(calls).toEqual([["delete", "p1"]]);
});

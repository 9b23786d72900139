import { describe, expect, test } from "bun:test";
import { failing, harness, upgradePackage } from "./testing/harness";
import { type CallSection, REQUESTS } from "./testing/requests";

const PATH = REQUESTS["1.12.1"].path;
const ONE = REQUESTS["1.12.2"].path;
const CATEGORY = {
  fileId: upgradePackage.fileId,
  name: "meter_signed.zip",
  version: "V1.0.10",
  fileType: "softwarePackage",
  deviceType: "Meter",
  model: "M1",
  manufacturerName: "Acme",
  protocolType: "LWM2M",
  description: null,
  date: "2017-08-11",
  uploadTime: expect.stringMatching(/^\d{8}T\d{6}Z$/),
};

describe("answers have the fields of the document, in its order", () => {
  test.each([
    ["1.12.1", { data: [CATEGORY], pageNo: 0, pageSize: 10, totalCount: 41 }],
    ["1.12.2", CATEGORY],
  ] as const)("%s", async (section, expected) => {
    const { method, path } = REQUESTS[section];
    const { status, json } = await harness().call(method, path);
    expect([status, json]).toEqual([200, expected]);
    expect(Object.keys(json.data?.[0] ?? json)).toEqual(Object.keys(CATEGORY));
  });
  test("1.12.3 has none, under 200", async () => {
    const h = harness();
    expect(await h.call("DELETE", ONE)).toMatchObject({ status: 200, text: "", type: null });
    expect(h.packages.remove.mock.calls).toEqual([[upgradePackage.fileId]]);
  });
});

describe("1.12.1 lists the caller's own", () => {
  const NONE = {
    kind: undefined,
    deviceType: undefined,
    model: undefined,
    manufacturerName: undefined,
    version: undefined,
  };
  test.each<[string, object, number, number]>([
    ["", {}, 0, 10],
    ["?fileType=firmwarePackage&pageNo=3&pageSize=100", { kind: "firmware" }, 3, 100],
    [
      "?fileType=softwarePackage&version=V1&deviceType=T&model=M&manufacturerName=A",
      { kind: "software", version: "V1", deviceType: "T", model: "M", manufacturerName: "A" },
      0,
      10,
    ],
    ["?manufactureName=A", { manufacturerName: "A" }, 0, 10],
    ["?appId=other&pageNo=&version=", {}, 0, 10],
  ])("%s", async (query, filter, pageNo, pageSize) => {
    const h = harness();
    expect((await h.call("GET", PATH + query)).json).toMatchObject({ pageNo, pageSize });
    expect(h.packages.list.mock.calls).toEqual([
      [{ appNo: upgradePackage.appNo, ...NONE, ...filter }, pageNo, pageSize],
    ] as never);
  });
  test.each([
    ["pageNo=-1", "123029"],
    ["pageNo=2147483648", "123029"],
    ["pageSize=0", "123029"],
    ["pageSize=101", "123029"],
    ["pageSize=-5", "123029"],
    ["pageNo=x", "120015"],
    ["pageNo=1.5", "120015"],
    ["pageSize=1e3", "120015"],
    ["pageSize=1&pageSize=2", "120015"],
    ["fileType=firmware", "120015"],
    [`model=${"x".repeat(257)}`, "120015"],
  ])("not with %s: %s", async (query, error_code) => {
    const h = harness();
    const error_desc = error_code === "123029" ? "pageNo or pageSize beyond the limit." : "Bad request error.";
    expect(await h.call("GET", `${PATH}?${query}`)).toMatchObject({ status: 400, json: { error_code, error_desc } });
    expect(h.packages.list).not.toHaveBeenCalled();
  });
});

describe.each(["1.12.2", "1.12.3"] as const)("%s", (section) => {
  const { method } = REQUESTS[section];
  test.each([
    ["x", 400, "120015", "Bad request error."],
    ["0A".repeat(16), 400, "120015", "Bad request error."],
    ["0b".repeat(16), 404, "123002", "Device or package file not found."],
  ])("%s is %i %s", async (id, status, error_code, error_desc) => {
    const h = harness();
    expect(await h.call(method, `${PATH}/${id}`)).toMatchObject({ status, json: { error_code, error_desc } });
    expect(h.effects()).toBe(0);
  });
  test("another application's is not found", async () => {
    const h = harness();
    h.packages.find.mockReturnValue({ ...upgradePackage, appNo: 99 });
    expect(await h.call(method, ONE)).toMatchObject({ status: 404, json: { error_code: "123002" } });
    expect(h.effects()).toBe(0);
  });
});

test("1.12.3 while a task uses the package", async () => {
  const h = harness();
  h.packages.remove.mockImplementation(failing("PACKAGE_IN_USE"));
  expect(await h.call("DELETE", ONE)).toMatchObject({ status: 400, json: { error_code: "120015" } });
});

test.each(["1.12.1", "1.12.2", "1.12.3"] satisfies CallSection[])(
  "%s: too many calls, and a wrong token",
  async (section) => {
    const { method, path } = REQUESTS[section];
    const h = harness();
    const wrong = await h.call(method, path, undefined, { app_key: "app-1", authorization: "Bearer bad" });
    expect(wrong).toMatchObject({
      status: 403,
      json: { error_code: "1010005", error_desc: "Invalid access token or appId." },
    });
    h.tokens.authorize.mockImplementation(failing("THROTTLED") as never);
    expect(await h.call(method, path)).toMatchObject({
      status: 403,
      json: { error_code: "1010009", error_desc: "app throttle exceed." },
    });
    expect(h.effects()).toBe(0);
  },
);

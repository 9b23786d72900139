import { describe, expect, test } from "bun:test";
import { AT_TEXT, publicKey, startApi, upgradePackage } from "./testing/fake-ports";

const RESOURCE = {
  fileId: upgradePackage.fileId,
  appId: "app1",
  fileType: "firmwarePackage",
  name: "fw",
  version: "2.0",
  deviceType: "Sensor",
  manufacturerName: "Maker",
  model: "S1",
  protocolType: "MQTT",
  sourceVersions: ["1.*"],
  shardSize: 500,
  versionCheckCode: "00A5",
  fileName: "fw.bin",
  size: 9,
  sha256: "ab".repeat(32),
  uploadedAt: AT_TEXT,
};
const typed = { version: "2.0", deviceType: "Sensor", manufacturerName: "Maker", model: "S1", protocolType: "MQTT" };

function form(fields: Record<string, string | string[]>, file: string | undefined = "a.zip"): FormData {
  const made = new FormData();
  if (file) made.append("file", new File(["bytes"], file));
  for (const [name, value] of Object.entries(fields)) for (const one of [value].flat()) made.append(name, one);
  return made;
}
const PATH = "/apps/app1/packages";

describe("POST /apps/{appId}/packages", () => {
  test("takes firmware with its fields", async () => {
    const { ask, calls } = startApi();
    const fields = {
      fileType: "firmwarePackage",
      ...typed,
      sourceVersions: ["1.0", "1.1;1.2"],
      description: "d",
      name: "n",
    };
    expect(await ask("POST", PATH, form(fields))).toMatchObject({ status: 201, body: RESOURCE });
    const { name, fileType: _, ...rest } = fields;
    expect(calls).toEqual([
      ["receive", "bytes"],
      ["store", "app1", { kind: "firmware", fileName: "a.zip", name, fields: rest }],
      ["discard"],
    ] as never);
  });
  test("takes software without any, wherever the file comes from", async () => {
    const { ask, calls } = startApi();
    expect((await ask("POST", PATH, form({ fileType: "softwarePackage" }, "C:\\up\\s.zip"))).status).toBe(201);
    expect(calls[1]).toEqual(["store", "app1", { kind: "software", fileName: "s.zip", name: undefined }] as never);
  });
  test("takes a productId in place of the product's names", async () => {
    const { ask, calls } = startApi();
    const fields = { fileType: "firmwarePackage", version: "2.0", productId: "p1" };
    expect(await ask("POST", PATH, form(fields))).toMatchObject({ status: 201, body: RESOURCE });
    expect(calls[1]).toMatchObject(["store", "app1", { kind: "firmware", fields: { ...typed, sourceVersions: [] } }]);
    const unknown = await ask("POST", PATH, form({ ...fields, productId: "p2" }));
    expect(unknown).toMatchObject({ status: 404, body: { code: "PRODUCT_NOT_FOUND" } });
    expect(calls.at(-1)).toEqual(["discard"]);
  });
  const software = { fileType: "softwarePackage" };
  const firmware = { fileType: "firmwarePackage", version: "2" };
  test.each<[string, FormData, unknown]>([
    [
      "a product and its name",
      form({ ...firmware, productId: "p1", model: "S1" }),
      [{ path: "model", reason: "is in the product model" }],
    ],
    ["two products", form({ ...firmware, productId: ["p1", "p1"] }), [{ path: "productId", reason: "is given twice" }]],
    [
      "software with a product",
      form({ ...software, productId: "p1" }),
      [{ path: "productId", reason: "is in UpgradeDesc.json" }],
    ],
    ["no file", form(software, ""), [{ path: "file", reason: "is required" }]],
    ["no type", form({}), [{ path: "fileType", reason: expect.any(String) }]],
    ["another type", form({ fileType: "firmware" }), [{ path: "fileType", reason: expect.any(String) }]],
    [
      "a missing field",
      form({ fileType: "firmwarePackage", ...typed, model: [] }),
      [{ path: "model", reason: "is required" }],
    ],
    ["firmware's field", form({ ...software, version: "1" }), [{ path: "version", reason: "is in UpgradeDesc.json" }]],
    ["an unknown field", form({ ...software, x: "1" }), [{ path: "x", reason: "is not known" }]],
    [
      "a field twice",
      form({ fileType: ["softwarePackage", "softwarePackage"] }),
      [{ path: "fileType", reason: "is given twice" }],
    ],
  ])("refuses %s, and keeps nothing", async (_what, body, errors) => {
    const { ask, calls } = startApi();
    const answer = await ask("POST", PATH, body);
    expect(answer).toMatchObject({ status: 400, body: { code: "INPUT_INVALID", errors } });
    expect(calls.filter(([name]) => name === "store")).toEqual([]);
    expect(calls.filter(([name]) => name === "receive")).toHaveLength(
      calls.filter(([name]) => name === "discard").length,
    );
  });
  test("refuses a second file, and another field's", async () => {
    const twice = form(software);
    twice.append("file", new File(["more"], "b.zip"));
    const { ask, calls } = startApi();
    expect((await ask("POST", PATH, twice)).body.errors).toEqual([{ path: "file", reason: "is given twice" }]);
    expect(calls).toEqual([["receive", "bytes"], ["discard"]]);
    const other = form(software, "");
    other.append("picture", new File(["x"], "b.zip"));
    expect((await ask("POST", PATH, other)).body.errors).toEqual([{ path: "picture", reason: "is not known" }]);
  });
  test("says which file and field of the package are wrong", async () => {
    const { ask, calls } = startApi();
    expect(await ask("POST", PATH, form(software, "bad.zip"))).toMatchObject({
      status: 422,
      body: { code: "PACKAGE_INVALID", detail: "is empty", details: { file: "linux/a", path: "$" } },
    });
    expect(calls.at(-1)).toEqual(["discard"]);
  });
  test.each([
    ["/apps/other/packages", form(software), 404, "APP_NOT_FOUND"],
    [PATH, {}, 415, "MEDIA_TYPE_UNSUPPORTED"],
  ])("%s is refused before anything is read", async (path, body, status, code) => {
    const { ask, calls } = startApi();
    expect(await ask("POST", path, body)).toMatchObject({ status, body: { code } });
    expect(calls).toEqual([]);
  });
  test("needs a session", async () => {
    const { ask, calls } = startApi();
    expect((await ask("POST", PATH, form(software), { authorization: "Bearer bad" })).status).toBe(401);
    expect(calls).toEqual([]);
  });
});

describe("packages", () => {
  test("are listed by every filter", async () => {
    const { ask, calls } = startApi();
    const query =
      "?page=2&pageSize=5&fileType=softwarePackage&name=n&version=v&deviceType=t&manufacturerName=a&model=m&protocolType=MQTT";
    expect(await ask("GET", PATH + query)).toMatchObject({ status: 200, body: { items: [RESOURCE] } });
    const equal = { name: "n", version: "v", deviceType: "t", manufacturerName: "a", model: "m", protocolType: "MQTT" };
    expect(calls).toEqual([["list", { appNo: 7, kind: "software", ...equal }, 1, 5]]);
    expect((await ask("GET", `${PATH}?x=1`)).status).toBe(400);
  });
  test("are got and deleted one by one", async () => {
    const { ask, calls } = startApi();
    expect(await ask("GET", `/packages/${upgradePackage.fileId}`)).toMatchObject({ status: 200, body: RESOURCE });
    expect((await ask("DELETE", `/packages/${upgradePackage.fileId}`)).status).toBe(204);
    expect(calls).toEqual([["remove", upgradePackage.fileId]]);
    for (const method of ["GET", "DELETE"])
      expect(await ask(method, "/packages/x")).toMatchObject({ status: 404, body: { code: "PACKAGE_NOT_FOUND" } });
  });
});

describe("public keys", () => {
  const PATH = "/apps/app1/public-keys";
  const KEY = { manufacturerName: "Maker", algorithm: "ecdsa-p256", fingerprint: publicKey.fingerprint, pem: "PEM" };
  test("are put, listed and deleted", async () => {
    const { ask, calls } = startApi();
    const put = await ask("POST", PATH, { manufacturerName: "Müller & Co/1", pem: "PEM" });
    expect(put).toMatchObject({ status: 201, body: { ...KEY, manufacturerName: "Müller & Co/1", createdAt: AT_TEXT } });
    expect(await ask("GET", PATH)).toMatchObject({ status: 200, body: { items: [KEY], total: 1 } });
    expect((await ask("DELETE", `${PATH}/${encodeURIComponent("Müller & Co/1")}`)).status).toBe(204);
    expect(calls).toEqual([
      ["put", "app1", "Müller & Co/1", "PEM"],
      ["remove", "app1", "Müller & Co/1"],
    ] as never);
  });
  test("are put as a form too, with a file or with its text", async () => {
    const { ask, calls } = startApi();
    const withFile = new FormData();
    withFile.append("manufacturerName", "Maker");
    withFile.append("pem", new File(["PEM"], "public.pem"));
    expect(await ask("POST", PATH, withFile)).toMatchObject({ status: 201, body: KEY });
    expect(await ask("POST", PATH, form({ manufacturerName: "Maker", pem: "PEM" }, ""))).toMatchObject({ status: 201 });
    expect(calls).toEqual([
      ["put", "app1", "Maker", "PEM"],
      ["put", "app1", "Maker", "PEM"],
    ] as never);
  });
  test.each([
    ["no key", form({ manufacturerName: "M" }, "")],
    ["an empty one", form({ manufacturerName: "M", pem: "" }, "")],
    ["too long a one", form({ manufacturerName: "M", pem: "x".repeat(16_385) }, "")],
    ["another field", form({ manufacturerName: "M", pem: "x", y: "1" }, "")],
    ["another file", form({ manufacturerName: "M", pem: "x" }, "a.pem")],
  ])("not as a form with %s", async (_what, body) => {
    const { ask, calls } = startApi();
    expect((await ask("POST", PATH, body)).status).toBe(400);
    expect(calls).toEqual([]);
  });
  test.each([
    {},
    { manufacturerName: "", pem: "x" },
    { manufacturerName: "M" },
    { manufacturerName: "M", pem: "x", y: 1 },
  ])("not with %j", async (body) => {
    const { ask, calls } = startApi();
    expect((await ask("POST", PATH, body)).status).toBe(400);
    expect(calls).toEqual([]);
  });
});

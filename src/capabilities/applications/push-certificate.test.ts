import { beforeEach, describe, expect, test } from "bun:test";
import { issueAuthority } from "../../platform/certificates/issue";
import type { AppId } from "./application";
import { openedApplications } from "./testing/opened-applications";

const NOW = Date.UTC(2026, 0, 1);
const { certificate: ca } = await issueAuthority({ notBefore: NOW, notAfter: NOW + 86_400_000 });
const hostPort = "api.example.com:9001";
let it: ReturnType<typeof openedApplications>;
let id: AppId;
let no: number;
beforeEach(async () => {
  it = openedApplications();
  ({ id, no } = (await it.applications.create({ name: "Meters" })).application);
});

test("a certificate is found by application and address, also after a restart", async () => {
  const added = await it.pushCertificates.add(id, {
    hostPort: "API.Example.com:9001",
    ca,
    commonName: "cn.example.com",
    sni: true,
  });
  expect(added).toEqual({
    appNo: no,
    hostPort,
    ca,
    checkCommonName: true,
    commonName: "cn.example.com",
    sni: true,
    createdAt: NOW,
  });
  for (const { pushCertificates } of [it, it.restart()]) {
    const trust = { ca, checkCommonName: true, commonName: "cn.example.com", sni: true };
    expect(pushCertificates.find(no, hostPort)).toEqual(trust);
    expect(pushCertificates.find(no, "Api.example.com:9001")).toEqual(trust);
    expect(pushCertificates.find(no, "api.example.com:9002")).toBeUndefined();
    expect(pushCertificates.find(no + 1, hostPort)).toBeUndefined();
    expect(pushCertificates.list(id)).toEqual([added]);
  }
});

test("the common name is checked and SNI is off unless it is said otherwise", async () => {
  expect(await it.pushCertificates.add(id, { hostPort, ca })).toMatchObject({ checkCommonName: true, sni: false });
});

test("a second one for the same address replaces the first", async () => {
  await it.pushCertificates.add(id, { hostPort, ca });
  await it.pushCertificates.add(id, { hostPort, ca, checkCommonName: false });
  expect(it.pushCertificates.list(id)).toHaveLength(1);
  expect(it.pushCertificates.find(no, hostPort)).toMatchObject({ checkCommonName: false });
});

test("a deleted one is gone, and with its application all are", async () => {
  await it.pushCertificates.add(id, { hostPort, ca });
  await it.pushCertificates.add(id, { hostPort: "[::1]:8443", ca });
  expect(await it.pushCertificates.delete(id, hostPort.toUpperCase())).toBe(true);
  expect(await it.pushCertificates.delete(id, hostPort)).toBe(false);
  expect(it.pushCertificates.find(no, hostPort)).toBeUndefined();
  expect(it.pushCertificates.find(no, "[::1]:8443")).toBeDefined();
  await it.applications.delete(id);
  expect(it.pushCertificates.find(no, "[::1]:8443")).toBeUndefined();
  expect(it.db.query("SELECT * FROM push_certificate").all()).toEqual([]);
});

test("is unbound within another change, and stays when that is undone", async () => {
  await it.pushCertificates.add(id, { hostPort, ca });
  const undone = it.transactor.write(() => {
    it.pushCertificates.unbind(no, hostPort);
    throw new Error("undone");
  });
  await expect(undone).rejects.toThrow("undone");
  expect(it.pushCertificates.find(no, hostPort)).toBeDefined();
  await it.transactor.write(() => it.pushCertificates.unbind(no, "API.example.com:9001"));
  expect(it.pushCertificates.find(no, hostPort)).toBeUndefined();
  expect(it.restart().pushCertificates.list(id)).toEqual([]);
});

describe("is refused and changes nothing:", () => {
  test.each([
    ["no port", { hostPort: "api.example.com", ca }, "hostPort"],
    ["port 0", { hostPort: "api.example.com:0", ca }, "hostPort"],
    ["port 65536", { hostPort: "api.example.com:65536", ca }, "hostPort"],
    ["a URL", { hostPort: "https://api.example.com:9001/", ca }, "hostPort"],
    ["no PEM", { hostPort, ca: "hello" }, "ca"],
    ["a common name with a line break", { hostPort, ca, commonName: "a\nb" }, "commonName"],
  ])("%s", async (_rule, input, field) => {
    await expect(it.pushCertificates.add(id, input)).rejects.toMatchObject({
      code: "INPUT_INVALID",
      details: { field },
    });
    expect(it.pushCertificates.list(id)).toEqual([]);
  });

  test("an expired certificate, with the reason", async () => {
    await it.clock.advance(86_400_001);
    await expect(it.pushCertificates.add(id, { hostPort, ca })).rejects.toMatchObject({
      code: "INPUT_INVALID",
      details: { field: "ca", reason: expect.stringContaining("expired on 2026-01-02") },
    });
  });

  test("an unknown application", async () => {
    const nobody = "nobody" as AppId;
    await expect(it.pushCertificates.add(nobody, { hostPort, ca })).rejects.toMatchObject({ code: "APP_NOT_FOUND" });
    await expect(it.pushCertificates.delete(nobody, hostPort)).rejects.toMatchObject({ code: "APP_NOT_FOUND" });
    expect(() => it.pushCertificates.list(nobody)).toThrow("APP_NOT_FOUND");
  });

  test("more addresses than are allowed", async () => {
    it = openedApplications({ pushCertificates: { maxPerApplication: 1 } });
    ({ id, no } = (await it.applications.create({ name: "Meters" })).application);
    await it.pushCertificates.add(id, { hostPort, ca });
    await it.pushCertificates.add(id, { hostPort, ca });
    await expect(it.pushCertificates.add(id, { hostPort: "b.example.com:1", ca })).rejects.toMatchObject({
      code: "INPUT_INVALID",
    });
    expect(it.pushCertificates.find(no, "b.example.com:1")).toBeUndefined();
    expect(it.pushCertificates.list(id)).toHaveLength(1);
  });
});

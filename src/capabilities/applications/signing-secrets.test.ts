import { beforeEach, expect, test } from "bun:test";
import type { AppId } from "./application";
import { openedApplications } from "./testing/opened-applications";

let it: ReturnType<typeof openedApplications>;
let id: AppId;
let no: number;
beforeEach(async () => {
  it = openedApplications();
  ({ id, no } = (await it.applications.create({ name: "Meters" })).application);
});

test("pushes are not signed unless it is said", async () => {
  expect(it.signingSecrets.find(no)).toBeUndefined();
  await it.applications.update(id, { signPushes: true });
  expect(it.signingSecrets.find(no)).toBe(it.signingSecrets.get(id));
  await it.applications.update(id, { signPushes: false });
  expect(it.signingSecrets.find(no)).toBeUndefined();
});

test("a secret is 256 bits, one application's own, and the same after a restart", async () => {
  const { application } = await it.applications.create({ name: "Lamps", signPushes: true });
  const secret = it.signingSecrets.get(application.id);
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  expect(secret).not.toBe(it.signingSecrets.get(id));
  expect(it.restart().signingSecrets.find(application.no)).toBe(secret);
});

test("a renewed one is another, at once and after a restart; other secrets stay", async () => {
  const { application, secret: appSecret } = await it.applications.create({ name: "Lamps", signPushes: true });
  const [before, others] = [it.signingSecrets.get(application.id), it.signingSecrets.get(id)];
  const renewed = await it.signingSecrets.renew(application.id);
  expect(renewed).not.toBe(before);
  for (const { signingSecrets } of [it, it.restart()]) {
    expect(signingSecrets.find(application.no)).toBe(renewed);
    expect(signingSecrets.get(id)).toBe(others);
  }
  expect(await it.tokens.login(application.id, appSecret)).toMatchObject({ accessToken: expect.any(String) });
});

test("the database holds none", async () => {
  const secret = it.signingSecrets.get(id);
  expect(JSON.stringify(it.db.query("SELECT * FROM application").all())).not.toContain(secret);
});

test("an application that is not there has none", async () => {
  const nobody = "nobody" as AppId;
  expect(() => it.signingSecrets.get(nobody)).toThrow("APP_NOT_FOUND");
  await expect(it.signingSecrets.renew(nobody)).rejects.toMatchObject({ code: "APP_NOT_FOUND" });
  expect(it.signingSecrets.find(99)).toBeUndefined();
  await it.applications.update(id, { signPushes: true });
  await it.applications.delete(id);
  expect(it.signingSecrets.find(no)).toBeUndefined();
});

import { expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { join } from "node:path";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { startIslet, temporaryFolder } from "../support/islet";

const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";

test("pushes are signed when the operator says so, with a secret that can be read and renewed", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const { app, manage, appId, register } = await setUp(islet);
  const callbackUrl = receiver.url("/added");
  expect((await app("POST", SUBSCRIPTIONS, { notifyType: "deviceAdded", callbackUrl })).status).toBe(201);
  const signing = `/apps/${appId}/signing-secret`;
  const secret = async (method: string) => (await manage<{ secret: string }>(method, signing)).body.secret;
  const pushFor = async (nodeId: string) => {
    const { deviceId } = await register(nodeId);
    await receiver.until((body) => body.deviceId === deviceId);
    const push = receiver.received.find(({ body }) => body.deviceId === deviceId);
    return { text: push?.text ?? "", signature: push?.headers.get("x-islet-signature") };
  };
  const isSignedWith = (key: string, { text, signature }: Awaited<ReturnType<typeof pushFor>>) => {
    const [, at, digest] = /^t=(\d+),v1=([0-9a-f]{64})$/.exec(signature ?? "") ?? [];
    return digest === createHmac("sha256", key).update(`${at}.${text}`).digest("hex");
  };

  expect((await pushFor("unsigned")).signature).toBeNull();
  const patched = await manage("PATCH", `/apps/${appId}`, { signPushes: true });
  expect(patched).toMatchObject({ status: 200, body: { signPushes: true } });
  const first = await secret("GET");
  expect(isSignedWith(first, await pushFor("signed"))).toBe(true);

  const second = await secret("POST");
  expect(second).not.toBe(first);
  expect(await secret("GET")).toBe(second);
  const renewed = await pushFor("renewed");
  expect([isSignedWith(first, renewed), isSignedWith(second, renewed)]).toEqual([false, true]);
});

test("the certificate of an address goes with its last subscription", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, manage, appId } = await setUp(islet);
  const ca = await Bun.file(join(folder.path, "tls", "ca.pem")).text();
  const subscribe = async (notifyType: string, port: number) => {
    const callbackUrl = `https://localhost:${port}/${notifyType}`;
    return (await app<{ subscriptionId: string }>("POST", SUBSCRIPTIONS, { notifyType, callbackUrl })).body;
  };
  for (const port of [1, 2]) {
    const added = await manage("POST", `/apps/${appId}/push-certificates`, { hostPort: `localhost:${port}`, ca });
    expect(added.status).toBe(201);
  }
  const bound = async () =>
    (await manage<{ items: { hostPort: string }[] }>("GET", `/apps/${appId}/push-certificates`)).body.items.map(
      ({ hostPort }) => hostPort,
    );

  const added = await subscribe("deviceAdded", 1);
  await subscribe("deviceDeleted", 1);
  await subscribe("deviceInfoChanged", 2);
  expect((await app("DELETE", `${SUBSCRIPTIONS}/${added.subscriptionId}`)).status).toBe(204);
  expect(await bound()).toEqual(["localhost:1", "localhost:2"]);
  expect((await app("DELETE", `${SUBSCRIPTIONS}?notifyType=deviceDeleted`)).status).toBe(204);
  expect(await bound()).toEqual(["localhost:2"]);
});

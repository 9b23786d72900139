import { expect, test } from "bun:test";
import { operator, setUp } from "../support/api";
import { startIslet, temporaryFolder } from "../support/islet";

const LOGIN = "/iocm/app/sec/v1.1.0/login";
const REFRESH = "/iocm/app/sec/v1.1.0/refreshToken";
const DEVICES = "/iocm/app/dm/v1.4.0/devices?pageNo=0";
type Tokens = { accessToken: string; refreshToken: string; error_code?: string };

/** The application's side, header by header. */
function client(base: string, appId: string) {
  async function send(path: string, init: RequestInit) {
    const response = await fetch(`${base}${path}`, init);
    const body = (await response.json()) as Tokens;
    return { row: `${response.status} ${body.error_code ?? "ok"}`, body };
  }
  return {
    login: (secret: string) => send(LOGIN, { method: "POST", body: new URLSearchParams({ appId, secret }) }),
    refresh: (secret: string, refreshToken: string) =>
      send(REFRESH, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ appId, secret, refreshToken }),
      }),
    call: async (token: string, path = DEVICES) =>
      (await send(path, { headers: { app_key: appId, authorization: `Bearer ${token}` } })).row,
  };
}

test("a newer login, a refresh and a new secret void every earlier token, also over a restart", async () => {
  using folder = temporaryFolder();
  await using crashing = await startIslet({ data: folder.path });
  const { appId, appSecret } = await setUp(crashing);
  let it = client(`http://${crashing.ready.http}`, appId);
  const first = (await it.login(appSecret)).body;
  expect(await it.call(first.accessToken)).toBe("200 ok");
  const second = (await it.login(appSecret)).body;
  expect(await it.call(first.accessToken)).toBe("403 1010005");
  expect((await it.refresh(appSecret, first.refreshToken)).row).toBe("400 50400");

  await crashing.crash();
  await using islet = await startIslet({ data: folder.path });
  it = client(`http://${islet.ready.http}`, appId);
  expect(await it.call(first.accessToken)).toBe("403 1010005");
  expect(await it.call(second.accessToken)).toBe("200 ok");
  const third = (await it.refresh(appSecret, second.refreshToken)).body;
  expect(await it.call(second.accessToken)).toBe("403 1010005");
  expect(await it.call(third.accessToken)).toBe("200 ok");
  expect(await it.call(third.refreshToken)).toBe("403 1010005");

  const manage = await operator(islet);
  const { secret } = (await manage<{ secret: string }>("POST", `/apps/${appId}/secret`)).body;
  expect(await it.call(third.accessToken)).toBe("403 1010005");
  expect((await it.login(appSecret)).row).toBe("401 100208");
  expect((await it.login(secret)).row).toBe("200 ok");
  await islet.stop();
  expect(islet.errors).not.toContain(secret);
});

test("a token ends with its time", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "api.access_token_ms": "1" } });
  const { appId, appSecret } = await setUp(islet);
  const it = client(`http://${islet.ready.http}`, appId);
  const { accessToken } = (await it.login(appSecret)).body;
  const deadline = Date.now() + 10_000; // its time is written in whole seconds
  while ((await it.call(accessToken)) !== "403 1010005") if (Date.now() > deadline) throw new Error("still valid");
});

test("an application that calls too often, is frozen or deleted is told which", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { "api.calls_per_minute": "3" } });
  const manage = await operator(islet);
  const { appId, secret } = (await manage<{ appId: string; secret: string }>("POST", "/apps", { name: "eager" })).body;
  const it = client(`http://${islet.ready.http}`, appId);
  const { accessToken } = (await it.login(secret)).body;
  const rows: string[] = [];
  for (let calls = 0; calls < 4; calls++) rows.push(await it.call(accessToken));
  expect(rows).toEqual(["200 ok", "200 ok", "200 ok", "403 1010009"]);
  await manage("PATCH", `/apps/${appId}`, { callsPerMinute: 100 });
  expect(await it.call(accessToken)).toBe("200 ok");

  expect(await it.call(accessToken, `${DEVICES}&appId=${appId}`)).toBe("200 ok");
  expect(await it.call(accessToken, `${DEVICES}&appId=nobody`)).toBe("403 100203");
  const other = (await manage<{ appId: string }>("POST", "/apps", { name: "other" })).body.appId;
  expect(await it.call(accessToken, `${DEVICES}&appId=${other}`)).toBe("403 100217");

  await manage("PATCH", `/apps/${appId}`, { frozen: true });
  expect(await it.call(accessToken)).toBe("400 100449");
  expect((await it.login(secret)).row).toBe("400 100449");
  await manage("DELETE", `/apps/${appId}`);
  expect(await it.call(accessToken)).toBe("500 100203");
  expect((await it.login(secret)).row).toBe("401 100208");
});

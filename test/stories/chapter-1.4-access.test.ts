import { expect, setDefaultTimeout, test } from "bun:test";
import { operator } from "../support/api";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);
const LOGIN = "/iocm/app/sec/v1.1.0/login";
const REFRESH = "/iocm/app/sec/v1.1.0/refreshToken";
type Tokens = { accessToken: string; refreshToken: string; tokenType: string; expiresIn: number; scope: string };

/** 1.4: an integrator moves an application from the cloud; only the host name of its configuration changes. */
test("an integrator signs an application in, keeps it signed in, and locks out a token that leaked", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const host = `http://${islet.ready.http}`;
  const manage = await operator(islet);
  const { appId, secret } = (await manage<{ appId: string; secret: string }>("POST", "/apps", { name: "irrigation" }))
    .body;

  // Its HTTP library sends the login as a form, as the document has it.
  const login = async (fields: Record<string, string>) => {
    const response = await fetch(`${host}${LOGIN}`, { method: "POST", body: new URLSearchParams(fields) });
    return { status: response.status, body: (await response.json()) as Tokens & { error_code: string } };
  };
  const devices = async (accessToken: string, tokenType = "Bearer ") => {
    const headers = { app_key: appId, Authorization: `${tokenType}${accessToken}` };
    const response = await fetch(`${host}/iocm/app/dm/v1.4.0/devices?pageNo=0&pageSize=10`, { headers });
    return { status: response.status, body: (await response.json()) as { error_code?: string; totalCount?: number } };
  };

  // A typing mistake in the configuration is told as such.
  const mistaken = await login({ appId, secret: `${secret}x` });
  expect([mistaken.status, mistaken.body.error_code]).toEqual([401, "100208"]);

  const first = await login({ appId, secret });
  expect(first).toMatchObject({ status: 200, body: { expiresIn: 3_600, scope: "default" } });
  const { tokenType } = first.body;
  expect(await devices(first.body.accessToken, tokenType)).toEqual({
    status: 200,
    body: expect.objectContaining({ totalCount: 0 }),
  });

  // Before the hour is over it takes a new token; the old one is void from that moment.
  const refreshed = await fetch(`${host}${REFRESH}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ appId, secret, refreshToken: first.body.refreshToken }),
  });
  const second = (await refreshed.json()) as Tokens;
  expect(refreshed.status).toBe(200);
  expect((await devices(second.accessToken)).status).toBe(200);
  expect((await devices(first.body.accessToken)).body.error_code).toBe("1010005");

  // The token stood in a log. The integrator signs in again, which voids it; a new secret ends everything else.
  const third = await login({ appId, secret });
  expect((await devices(second.accessToken)).body.error_code).toBe("1010005");
  const renewed = await manage<{ secret: string }>("POST", `/apps/${appId}/secret`);
  expect(renewed.status).toBe(200);
  expect((await devices(third.body.accessToken)).body.error_code).toBe("1010005");
  expect((await login({ appId, secret })).body.error_code).toBe("100208");
  expect((await login({ appId, secret: renewed.body.secret })).status).toBe(200);
});

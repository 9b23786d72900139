import { expect, setDefaultTimeout, test } from "bun:test";
import { operator, setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { integrator, outcome, PATHS } from "../support/integrator";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);

test("an integrator logs in, refreshes before the hour is over, and goes on when it was too late", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using morning = await startIslet({ data: folder.path });
  const { manage, appId, appSecret, register } = await setUp(morning, "city");
  const registered = await register("lamp");
  let it = integrator(morning, appId, appSecret);
  const look = async () => outcome(await it.call("GET", `${PATHS.devices}?pageNo=0`));

  // 1.4.1: what it is given.
  expect(await it.login()).toEqual({
    status: 200,
    body: {
      ...{ scope: "default", tokenType: "Bearer ", expiresIn: 3_600 },
      ...{
        accessToken: expect.stringMatching(/^[\w.-]{1,256}$/),
        refreshToken: expect.stringMatching(/^[\w.-]{1,256}$/),
      },
    },
  });
  expect(it.tokens.accessToken).not.toBe(it.tokens.refreshToken);

  // Its work of the day.
  const callbackUrl = receiver.url("/data");
  const subscribed = await it.call("POST", PATHS.subscriptions, { notifyType: "deviceDataChanged", callbackUrl });
  expect(outcome(subscribed)).toBe("201 ok");

  // 1.4.2, in time: both tokens are new, the old ones are worth nothing, and nothing else has changed.
  const first = { ...it.tokens };
  expect(outcome(await it.refresh())).toBe("200 ok");
  expect(it.tokens.accessToken).not.toBe(first.accessToken);
  expect(it.tokens.refreshToken).not.toBe(first.refreshToken);
  expect(await look()).toBe("200 ok");
  expect(outcome(await it.refresh(first.refreshToken))).toBe("400 50400");
  expect(await look()).toBe("200 ok"); // that attempt has voided nothing
  expect((await it.call("GET", PATHS.subscriptions)).body).toMatchObject({ totalCount: 1 });

  // Too late for the access token (an hour is a second here). Pushes do not depend on anybody being logged in.
  expect((await manage("PATCH", `/apps/${appId}`, { callsPerMinute: 1_000_000 })).status).toBe(200); // it will ask often
  await morning.stop();
  await using noon = await startIslet({ data: folder.path, settings: { "api.access_token_ms": "1000" } });
  it = integrator(noon, appId, appSecret);
  await it.login();
  expect(it.tokens.expiresIn).toBe(1);
  await eventually(look, (row) => row === "403 1010005");
  const late = it.tokens.refreshToken;
  await noon.stop();
  await using islet = await startIslet({ data: folder.path });
  it = integrator(islet, appId, appSecret);
  const device = await connectDevice(islet, registered);
  await device.publishAsync(dataTopic(registered.deviceId), report("Climate", { temperature: 1 }), { qos: 1 });
  await receiver.until((body) => (body as { deviceId: string }).deviceId === registered.deviceId);
  await device.endAsync();

  // The refresh token still counts: it has a day.
  expect(await look()).toBe("403 1010005");
  expect(outcome(await it.refresh(late))).toBe("200 ok");
  expect(await look()).toBe("200 ok");
});

test("two processes of one application share its tokens, or put each other out", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const manage = await operator(islet);
  const { appId, secret } = (await manage<{ appId: string; secret: string }>("POST", "/apps", { name: "pair" })).body;
  const [one, other] = [integrator(islet, appId, secret), integrator(islet, appId, secret)];
  const look = async (it: typeof one) => outcome(await it.call("GET", `${PATHS.devices}?pageNo=0`));

  await one.login();
  expect(await look(one)).toBe("200 ok");
  await other.login();
  expect([await look(one), await look(other)]).toEqual(["403 1010005", "200 ok"]);

  // The first one refreshes with what it still has, which is void, and so it logs in; now the other is out.
  expect(outcome(await one.refresh())).toBe("400 50400");
  expect(outcome(await one.login())).toBe("200 ok");
  expect([await look(one), await look(other)]).toEqual(["200 ok", "403 1010005"]);

  // However many log in at once: one pair of tokens is valid afterwards, and it is a pair.
  const crowd = Array.from({ length: 8 }, () => integrator(islet, appId, secret));
  const logins = await Promise.all(crowd.map((it) => it.login()));
  expect(logins.map(outcome)).toEqual(crowd.map(() => "200 ok"));
  const rows = await Promise.all(crowd.map(look));
  expect(rows.filter((row) => row === "200 ok").length).toBe(1);
  const winner = crowd[rows.indexOf("200 ok")] as typeof one;
  expect(outcome(await winner.refresh())).toBe("200 ok");
  expect(await look(winner)).toBe("200 ok");

  // What a client does wrong at sign-in, in the words of the tables.
  const wrong = async (path: string, body: object) => {
    const headers = { "content-type": "application/json" };
    const init = { method: "POST", headers, body: JSON.stringify(body) };
    const response = await fetch(`http://${islet.ready.http}${path}`, init);
    return outcome({ status: response.status, body: (await response.json()) as Record<string, unknown> });
  };
  expect(await wrong(PATHS.login, { appId, secret: "guess" })).toBe("401 100208");
  expect(await wrong(PATHS.login, { appId: "nobody", secret })).toBe("401 100208");
  expect(await wrong(PATHS.login, { appId })).toBe("400 102202");
  expect(await wrong(PATHS.refreshToken, { appId, secret })).toBe("400 102202");
  expect(await look(winner)).toBe("200 ok");
});

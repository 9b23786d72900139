import { expect, setDefaultTimeout, test } from "bun:test";
import { type Answer, application, setUp } from "../support/api";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);

const PATH = "/iocm/app/sub/v1.2.0/subscriptions";
type Body = Record<string, unknown> & { error_code?: string; subscriptionId?: string };
type Resource = { subscriptionId: string; notifyType: string; callbackUrl: string };
type List = { totalCount: number; pageNo: number; pageSize: number; subscriptions: Resource[] };

test("subscribe, query, list and delete, with every error of 1.7", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { app, appId } = await setUp(islet);
  const other = await setUp(islet, "other");
  const outcome = ({ status, body }: Answer<Body>) => [status, body.error_code];
  const subscribe = (notifyType: unknown, callbackUrl: unknown, query = "") =>
    app<Body>("POST", `${PATH}${query}`, { notifyType, callbackUrl });

  const created = await subscribe("deviceDataChanged", "http://127.0.0.1:9001/data");
  expect(created).toEqual({
    status: 201,
    body: {
      subscriptionId: expect.stringMatching(/./),
      notifyType: "deviceDataChanged",
      callbackUrl: "http://127.0.0.1:9001/data",
    },
  });
  const { subscriptionId } = created.body;
  expect(outcome(await subscribe("deviceDataChanged", "http://127.0.0.1:9001/data"))).toEqual([409, "100227"]);
  expect(outcome(await subscribe("deviceDataChanged", "http://127.0.0.1:9002/other"))).toEqual([409, "100227"]);

  const illegal = [
    "http://127.0.0.1:9001",
    "http://127.0.0.1/data",
    "ftp://127.0.0.1:9001/data",
    "127.0.0.1:9001/data",
    "http://user:secret@127.0.0.1:9001/data",
    "http://127.0.0.1:0/data",
    "http://127.0.0.1:65536/data",
    "http://:9001/data",
    "http://127.0.0.1:9001/a b",
    `http://127.0.0.1:9001/${"x".repeat(1_024)}`,
    "",
    null,
    7,
    undefined,
  ];
  for (const url of illegal)
    expect([url, ...outcome(await subscribe("deviceAdded", url))]).toEqual([url, 400, "100222"]);
  for (const url of ["https://api.example.com:443/x?y=z", "http://[::1]:9001/"]) {
    const { status, body } = await subscribe("deviceAdded", url);
    expect([url, status]).toEqual([url, 201]);
    expect((await app("DELETE", `${PATH}/${body.subscriptionId}`)).status).toBe(204);
  }
  expect(outcome(await subscribe("nothing", "http://127.0.0.1:9001/"))).toEqual([400, "100022"]);
  expect(outcome(await subscribe("deviceAdded", "http://127.0.0.1:9001/", "?ownerFlag=maybe"))).toEqual([
    400,
    "100022",
  ]);
  expect((await subscribe("deviceAdded", "http://127.0.0.1:9001/", "?ownerFlag=false")).status).toBe(201);
  const foreign = { appId: other.appId, notifyType: "bindDevice", callbackUrl: "http://127.0.0.1:9001/" };
  expect(outcome(await app("POST", PATH, foreign))).toEqual([403, "100217"]);
  expect((await app("POST", PATH, { ...foreign, appId })).status).toBe(201);

  // One.
  const one = await app("GET", `${PATH}/${subscriptionId}`);
  expect(one).toEqual({ status: 200, body: created.body });
  expect(outcome(await app("GET", `${PATH}/nothing`))).toEqual([404, "100225"]);
  expect(outcome(await other.app("GET", `${PATH}/${subscriptionId}`))).toEqual([404, "100225"]);
  expect(outcome(await app("GET", `${PATH}/${subscriptionId}?appId=${other.appId}`))).toEqual([403, "100217"]);

  // List.
  const list = async (query: string) => (await app<List>("GET", `${PATH}${query}`)).body;
  expect(await list("")).toMatchObject({ totalCount: 3, pageNo: 0, pageSize: 10 });
  expect((await list("")).subscriptions.map(({ notifyType }) => notifyType).sort()).toEqual([
    "bindDevice",
    "deviceAdded",
    "deviceDataChanged",
  ]);
  expect(await list("?pageSize=2&pageNo=1")).toMatchObject({
    totalCount: 3,
    pageNo: 1,
    pageSize: 2,
    subscriptions: [{}],
  });
  expect(await list("?notifyType=bindDevice")).toMatchObject({
    totalCount: 1,
    subscriptions: [{ notifyType: "bindDevice" }],
  });
  expect(await list("?notifyType=swUpgradeResultNotify")).toMatchObject({ totalCount: 0, subscriptions: [] });
  for (const query of ["?notifyType=nothing", "?pageNo=-1", "?pageSize=0", "?pageNo=x"])
    expect([query, ...outcome(await app("GET", `${PATH}${query}`))]).toEqual([
      query,
      400,
      expect.stringMatching(/^100/),
    ]);
  expect((await other.app<List>("GET", PATH)).body.totalCount).toBe(0);

  // Delete.
  expect(outcome(await other.app("DELETE", `${PATH}/${subscriptionId}`))).toEqual([404, "100225"]);
  expect((await app("DELETE", `${PATH}/${subscriptionId}`)).status).toBe(204);
  expect(outcome(await app("DELETE", `${PATH}/${subscriptionId}`))).toEqual([404, "100225"]);
  expect(outcome(await app("DELETE", `${PATH}?channel=MQTTS`))).toEqual([404, "100225"]);
  expect(outcome(await app("DELETE", `${PATH}?channel=PIGEON`))).toEqual([404, "100225"]);
  expect(outcome(await app("DELETE", `${PATH}?notifyType=commandRsp`))).toEqual([404, "100225"]);
  expect(outcome(await app("DELETE", `${PATH}?callbackUrl=${encodeURIComponent("http://127.0.0.1:9001/no")}`))).toEqual(
    [404, "100225"],
  );
  expect((await list("")).totalCount).toBe(2);
  expect((await app("DELETE", `${PATH}?notifyType=bindDevice&channel=HTTP`)).status).toBe(204);
  expect(
    (await app("DELETE", `${PATH}?callbackUrl=${encodeURIComponent("http://127.0.0.1:9001/")}&channel=`)).status,
  ).toBe(204);
  expect((await list("")).totalCount).toBe(0);
  for (const notifyType of ["deviceAdded", "bindDevice"]) await subscribe(notifyType, "http://127.0.0.1:9001/");
  expect((await app("DELETE", PATH)).status).toBe(204);
  expect(outcome(await app("DELETE", PATH))).toEqual([404, "100225"]);

  // Who may call.
  for (const [method, path] of [
    ["POST", PATH],
    ["GET", PATH],
    ["GET", `${PATH}/x`],
    ["DELETE", `${PATH}/x`],
    ["DELETE", PATH],
  ] as const) {
    const response = await fetch(`http://${islet.ready.http}${path}`, {
      method,
      headers: { app_key: appId, authorization: "Bearer nothing", "content-type": "application/json" },
      ...(method === "POST" && { body: "{}" }),
    });
    const body = (await response.json()) as Body;
    expect([method, path, response.status, body.error_code]).toEqual([method, path, 403, "1010005"]);
  }
});

test("calls over an application's limit are refused on every subscription call", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const { manage, appId, appSecret } = await setUp(islet);
  expect((await manage("PATCH", `/apps/${appId}`, { callsPerMinute: 3 })).status).toBe(200);
  const app = await application(islet, appId, appSecret);
  for (let call = 0; call < 3; call++) await app("GET", PATH);
  for (const [method, path] of [
    ["POST", PATH],
    ["GET", PATH],
    ["GET", `${PATH}/x`],
    ["DELETE", `${PATH}/x`],
    ["DELETE", PATH],
  ] as const) {
    const { status, body } = await app<Body>(method, path, method === "POST" ? {} : undefined);
    expect([method, path, status, body.error_code]).toEqual([method, path, 403, "1010009"]);
  }
});

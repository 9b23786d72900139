import { expect, setDefaultTimeout, test } from "bun:test";
import { Validator } from "@seriousme/openapi-schema-validator";
import { harness } from "../../src/northbound/oceanconnect/testing/harness";
import { startCallbackReceiver } from "../support/callback-receiver";
import { startIslet, temporaryFolder } from "../support/islet";
import { type Document, followAll, readDocument, undescribed, vendorOperations } from "../support/open-api";
import { furnish } from "../support/walk";

setDefaultTimeout(120_000);

const operationOf = ({ paths }: Document, method: string, template: string) => {
  const found = paths[template]?.[method.toLowerCase()];
  if (!found) throw new Error(`${method} ${template} is not described`);
  return found;
};

test("the document of a process is OpenAPI 3.1, whole, and true", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const document = await readDocument(islet);

  const { valid, errors } = await new Validator().validate(structuredClone(document));
  expect({ valid, errors }).toEqual({ valid: true, errors: undefined } as never);
  expect(document.openapi).toStartWith("3.1");
  followAll(document);
  const operations = Object.values(document.paths).flatMap((methods) => Object.values(methods));
  const names = operations.map(({ operationId }) => operationId);
  expect([new Set(names).size, names.includes(undefined as never)]).toEqual([names.length, false]);
  const mounted = harness()
    .app.routes.filter(({ method }) => method !== "ALL")
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
  expect(vendorOperations(document).map(({ method, path }) => `${method} ${path}`)).toEqual(
    expect.arrayContaining(mounted),
  );

  const page = await (await fetch(`http://${islet.ready.http}/docs`)).text();
  for (const name of names) expect(page).toContain(`id="${name}"`);
  expect(page).not.toMatch(/src=|@import|url\(|<script/);
});

test("real answers are as they are described", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({ data: folder.path });
  const document = await readDocument(islet);
  await using its = await furnish(islet, "openapi", receiver.url("/openapi"));
  const batch = await its.batch();
  const gateway = await its.loraGateway();
  // Voids the token that the above was made with.
  const login = await fetch(`http://${islet.ready.http}/iocm/app/sec/v1.1.0/login`, {
    method: "POST",
    body: new URLSearchParams({ appId: its.appId, secret: its.appSecret }),
  });
  const { accessToken } = (await login.clone().json()) as { accessToken: string };
  const headers = { app_key: its.appId, authorization: `Bearer ${accessToken}`, "content-type": "application/json" };
  expect(
    undescribed(document, operationOf(document, "POST", "/iocm/app/sec/v1.1.0/login"), 200, await login.text()),
  ).toEqual([]);

  const DEVICE = "/iocm/app/dm/v1.4.0/devices";
  const COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands";
  const command = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } };
  const CALLS: [method: string, template: string, path: string, status: number, body?: object][] = [
    [
      "POST",
      "/iocm/app/reg/v2.0.0/deviceCredentials",
      "",
      200,
      { deviceInfo: { nodeId: "n1" }, productId: its.productId },
    ],
    ["GET", `${DEVICE}/{deviceId}`, `${DEVICE}/${its.online}?select=imsi`, 200],
    ["GET", DEVICE, `${DEVICE}?pageNo=0`, 200],
    ["GET", `${DEVICE}/{deviceId}`, `${DEVICE}/nobody`, 404],
    ["PUT", `${DEVICE}/{deviceId}`, `${DEVICE}/${its.online}`, 204, { name: "x" }],
    [
      "GET",
      "/iocm/app/data/v1.2.0/deviceDataHistory",
      `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${its.online}`,
      200,
    ],
    ["GET", "/iocm/app/data/v1.1.0/deviceCapabilities", "", 200],
    ["GET", "/iocm/app/shadow/v1.5.0/devices/{deviceId}", `/iocm/app/shadow/v1.5.0/devices/${its.wished}`, 200],
    [
      "GET",
      "/iocm/app/shadow/v1.5.0/deviceDesiredHistory",
      `/iocm/app/shadow/v1.5.0/deviceDesiredHistory?deviceId=${its.wished}`,
      200,
    ],
    ["GET", "/iocm/app/sub/v1.2.0/subscriptions", "", 200],
    ["POST", COMMANDS, "", 201, { deviceId: its.wished, command, expireTime: 60 }],
    ["GET", COMMANDS, "", 200],
    ["GET", "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks", "", 200],
    ["GET", "/iocm/app/devgroup/v1.3.0/devGroups", "/iocm/app/devgroup/v1.3.0/devGroups?pageSize=5", 200],
    ["GET", "/iocm/app/devgroup/v1.3.0/devGroups/{devGroupId}", "/iocm/app/devgroup/v1.3.0/devGroups/nobody", 200],
    ["GET", "/iocm/app/batchtask/v1.1.0/tasks/{taskId}", `/iocm/app/batchtask/v1.1.0/tasks/${batch}?select=tag`, 200],
    ["GET", "/iocm/app/batchtask/v1.1.0/taskDetails", `/iocm/app/batchtask/v1.1.0/taskDetails?taskId=${batch}`, 200],
    ["GET", "/api/v3.0/devices/lora/gateway/{deviceId}", `/api/v3.0/devices/lora/gateway/${gateway}`, 200],
  ];
  for (const [method, template, path, expected, body] of CALLS) {
    const answer = await fetch(`http://${islet.ready.http}${path || template}`, {
      ...{ method, headers },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const wrong = undescribed(document, operationOf(document, method, template), answer.status, text);
    expect({ method, path: path || template, status: answer.status, wrong }).toEqual({
      ...{ method, path: path || template, status: expected, wrong: [] },
    });
  }
});

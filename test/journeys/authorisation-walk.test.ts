import { expect, setDefaultTimeout, test } from "bun:test";
import { harness } from "../../src/northbound/oceanconnect/testing/harness";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { startIslet, temporaryFolder } from "../support/islet";
import { type Furnished, furnish, readRegistry, type Sample, STILL_UPGRADES } from "../support/walk";

setDefaultTimeout(300_000);

/**
 * What a row's request must be allowed to; `address`: it concerns the caller's own address, and reading is enough. `own`:
 * it has no parameter for an owner. `caller`: neither, and nothing but what is the caller's is known to it.
 */
type Needs = "query" | "edit" | "address" | "own" | "caller";
type Row = {
  readonly needs: Needs;
  /** Of `caller`: how it is said that there is no such thing; left out: a list, which is empty. */
  readonly missing?: "123002" | "123009";
  /** Where the owner is named. `body` has it as appId, `lora body` as ownerAppId. */
  readonly owner?: "appId" | "accessAppId" | "ownerAppId" | "body" | "lora body";
  /** Makes what is asked for, and says how, in the words of its owner. More than one: each of them. */
  readonly ask: (its: Furnished) => Promise<Omit<Sample, "method">[]>;
};
type Path = Omit<Sample, "method">;
const one = (path: string, body?: Record<string, unknown>): Path[] => [{ path, ...(body && { body }) }];

const DEVICE = "/iocm/app/dm/v1.4.0/devices";
const CREDENTIALS = "/iocm/app/reg/v1.1.0/deviceCredentials";
const SHADOW = "/iocm/app/shadow/v1.5.0";
const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";
const MANAGEMENT = "/iodm/app/sub/v1.1.0/subscribe";
const COMMANDS = "/iocm/app/cmd/v1.4.0/deviceCommands";
const TASKS = "/iocm/app/cmd/v1.4.0/deviceCommandCancelTasks";
const GROUPS = "/iocm/app/devgroup/v1.3.0/devGroups";
const BATCH = "/iocm/app/batchtask/v1.1.0";
const PACKAGES = "/iodm/northbound/v1.5.0/category";
const UPGRADES = "/iodm/northbound/v1.5.0/operations";
const LORA_GATEWAY = "/api/v3.0/devices/lora/gateway";
const LORA_NODE = "/api/v3.0/devices/lora/node";

const queryShadow = (path: string): Row => ({
  needs: "query",
  ask: async ({ wished }) => one(`${path}/${wished}`),
});
const wish = (path: string): Row => ({
  needs: "edit",
  ask: async ({ sleeping, next }) =>
    one(`${path}/${await sleeping()}`, { serviceDesireds: [{ serviceId: "Smoke", desired: { note: next("note") } }] }),
});

const ofPackage: Row = {
  ...{ needs: "caller", missing: "123002" },
  ask: async ({ upgradePackage }) => one(`${PACKAGES}/${upgradePackage}`),
};
const newUpgrade = (kind: "software" | "firmware"): Row => ({
  ...{ needs: "caller", missing: "123002" },
  ask: async (its) => one(`${UPGRADES}/${kind}Upgrade`, await its.newUpgrade(kind)),
});
const ofUpgrade = (beyond: string): Row => ({
  ...{ needs: "caller", missing: "123009" },
  ask: async ({ upgrade }) => one(`${UPGRADES}/${await upgrade()}${beyond}`),
});

/** A request of every endpoint that names what belongs to one application. */
const ROWS: Readonly<Record<string, Row>> = {
  [`POST ${CREDENTIALS}`]: {
    needs: "edit",
    ask: async ({ sleeperProduct: productId, next }) => {
      const nodeId = next("new");
      return one(CREDENTIALS, { nodeId, verifyCode: nodeId, productId, timeout: 0 });
    },
  },
  "POST /iocm/app/reg/v2.0.0/deviceCredentials": {
    needs: "edit",
    ask: async ({ productId, next }) =>
      one("/iocm/app/reg/v2.0.0/deviceCredentials", { deviceInfo: { nodeId: next("new") }, productId }),
  },
  [`PUT ${CREDENTIALS}/:deviceId`]: {
    needs: "edit",
    ask: async ({ visited, next }) => one(`${CREDENTIALS}/${await visited()}`, { verifyCode: next("code") }),
  },
  [`GET ${CREDENTIALS}/:deviceId`]: { needs: "query", ask: async ({ online }) => one(`${CREDENTIALS}/${online}`) },
  [`PUT ${DEVICE}/:deviceId`]: {
    needs: "edit",
    ask: async ({ device, next }) => [
      ...one(`${DEVICE}/${await device()}`, { name: next("name"), tags: [{ tagName: "a", tagValue: "b" }] }),
      ...one(`${DEVICE}/${await device()}`, { mute: "TRUE" }),
    ],
  },
  [`DELETE ${DEVICE}/:deviceId`]: { needs: "edit", ask: async ({ device }) => one(`${DEVICE}/${await device()}`) },
  [`GET ${DEVICE}/:deviceId`]: { needs: "query", ask: async ({ online }) => one(`${DEVICE}/${online}`) },
  [`GET ${DEVICE}`]: {
    needs: "query",
    ask: async ({ online }) => [...one(`${DEVICE}?pageNo=0`), ...one(`${DEVICE}?gatewayId=${online}`)],
  },
  "GET /iocm/app/data/v1.2.0/deviceDataHistory": {
    needs: "query",
    ask: async ({ online }) => [
      ...one(`/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${online}`),
      ...one(`/iocm/app/data/v1.2.0/deviceDataHistory?gatewayId=${online}`),
    ],
  },
  "GET /iocm/app/data/v1.1.0/deviceCapabilities": {
    needs: "query",
    ask: async ({ online }) => [
      ...one(`/iocm/app/data/v1.1.0/deviceCapabilities?deviceId=${online}`),
      ...one(`/iocm/app/data/v1.1.0/deviceCapabilities?gatewayId=${online}`),
      ...one("/iocm/app/data/v1.1.0/deviceCapabilities"),
    ],
  },
  [`GET ${SHADOW}/deviceDesiredHistory`]: {
    needs: "query",
    ask: async ({ wished }) => [
      ...one(`${SHADOW}/deviceDesiredHistory?deviceId=${wished}`),
      ...one(`${SHADOW}/deviceDesiredHistory?gatewayId=${wished}`),
    ],
  },
  [`GET ${SHADOW}/devices/:deviceId`]: queryShadow(`${SHADOW}/devices`),
  [`PUT ${SHADOW}/devices/:deviceId`]: wish(`${SHADOW}/devices`),
  [`GET ${SHADOW}/devices/devices/:deviceId`]: queryShadow(`${SHADOW}/devices/devices`),
  [`PUT ${SHADOW}/devices/devices/:deviceId`]: wish(`${SHADOW}/devices/devices`),
  [`POST ${SUBSCRIPTIONS}`]: {
    needs: "address",
    owner: "body",
    ask: async ({ callbackUrl }) => one(SUBSCRIPTIONS, { notifyType: "ruleEvent", callbackUrl }),
  },
  [`POST ${MANAGEMENT}`]: {
    needs: "own",
    ask: async ({ callbackUrl }) => one(MANAGEMENT, { notifyType: "fwUpgradeResultNotify", callbackUrl }),
  },
  [`GET ${SUBSCRIPTIONS}/:subscriptionId`]: {
    needs: "query",
    ask: async ({ subscription }) => one(`${SUBSCRIPTIONS}/${await subscription()}`),
  },
  [`GET ${SUBSCRIPTIONS}`]: { needs: "query", ask: async () => one(SUBSCRIPTIONS) },
  [`DELETE ${SUBSCRIPTIONS}/:subscriptionId`]: {
    needs: "edit",
    ask: async ({ subscription }) => one(`${SUBSCRIPTIONS}/${await subscription()}`),
  },
  [`DELETE ${SUBSCRIPTIONS}`]: {
    needs: "address",
    ask: async ({ subscription }) => {
      await subscription();
      return one(SUBSCRIPTIONS);
    },
  },
  [`POST ${COMMANDS}`]: {
    needs: "edit",
    ask: async ({ sleeping, callbackUrl }) => {
      const command = { serviceId: "Smoke", method: "SET_ALARM", paras: { value: 1 } };
      return one(COMMANDS, { deviceId: await sleeping(), command, callbackUrl });
    },
  },
  [`GET ${COMMANDS}`]: {
    needs: "query",
    ask: async ({ wished }) => [...one(COMMANDS), ...one(`${COMMANDS}?deviceId=${wished}`)],
  },
  [`PUT ${COMMANDS}/:deviceCommandId`]: {
    needs: "edit",
    ask: async ({ sleeping, command }) => one(`${COMMANDS}/${await command(await sleeping())}`, { status: "CANCELED" }),
  },
  [`POST ${TASKS}`]: {
    needs: "edit",
    ask: async ({ sleeping, command }) => {
      const deviceId = await sleeping();
      await command(deviceId);
      return one(TASKS, { deviceId });
    },
  },
  [`GET ${TASKS}`]: {
    needs: "query",
    ask: async ({ task }) => [...one(TASKS), ...one(`${TASKS}?taskId=${await task()}`)],
  },
  "POST /iocm/app/signaltrans/v1.1.0/devices/:deviceId/services/:serviceId/sendCommand": {
    needs: "edit",
    ask: async ({ online }) =>
      one(`/iocm/app/signaltrans/v1.1.0/devices/${online}/services/Climate/sendCommand`, {
        header: { method: "SET_TARGET" },
        body: { target: 20 },
      }),
  },
  [`POST ${BATCH}/tasks`]: {
    needs: "edit",
    owner: "body",
    ask: async ({ newBatch }) => one(`${BATCH}/tasks`, await newBatch()),
  },
  [`GET ${BATCH}/tasks/`]: { needs: "query", ask: async () => [] }, // names no task, so belongs to nobody: refused
  [`GET ${BATCH}/tasks/:taskId`]: {
    needs: "query",
    ask: async ({ batch }) => one(`${BATCH}/tasks/${await batch()}?select=tag`),
  },
  [`GET ${BATCH}/taskDetails`]: {
    needs: "query",
    ask: async ({ batch }) => one(`${BATCH}/taskDetails?taskId=${await batch()}`),
  },
  [`POST ${GROUPS}`]: {
    needs: "edit",
    owner: "body",
    ask: async ({ device, next }) => one(GROUPS, { name: next("group"), deviceIds: [await device()] }),
  },
  [`DELETE ${GROUPS}/:devGroupId`]: {
    needs: "edit",
    owner: "accessAppId",
    ask: async ({ group }) => one(`${GROUPS}/${await group()}`),
  },
  [`PUT ${GROUPS}/:devGroupId`]: {
    needs: "edit",
    owner: "accessAppId",
    ask: async ({ group, next }) => one(`${GROUPS}/${await group()}`, { name: next("group") }),
  },
  [`GET ${GROUPS}`]: { needs: "query", owner: "accessAppId", ask: async () => one(`${GROUPS}?pageSize=500`) },
  [`GET ${GROUPS}/:devGroupId`]: {
    needs: "query",
    owner: "accessAppId",
    ask: async ({ group }) => one(`${GROUPS}/${await group()}`),
  },
  "GET /iocm/app/dm/v1.2.0/devices/ids": {
    needs: "query",
    ask: async ({ group, device }) => one(`/iocm/app/dm/v1.2.0/devices/ids?devGroupId=${await group(await device())}`),
  },
  "POST /iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices": {
    needs: "edit",
    owner: "accessAppId",
    ask: async ({ group, device }) =>
      one("/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices", {
        devGroupId: await group(),
        deviceIds: [await device()],
      }),
  },
  "POST /iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices": {
    needs: "edit",
    owner: "accessAppId",
    ask: async ({ group, device }) => {
      const deviceId = await device();
      const path = "/iocm/app/dm/v1.1.0/devices/deleteDevGroupTagFromDevices";
      return one(path, { devGroupId: await group(deviceId), deviceIds: [deviceId] });
    },
  },
  [`POST ${LORA_GATEWAY}`]: {
    needs: "edit",
    owner: "lora body",
    ask: async ({ newGateway }) => one(LORA_GATEWAY, newGateway()),
  },
  [`POST ${LORA_NODE}`]: {
    needs: "edit",
    owner: "lora body",
    ask: async ({ newNode }) => one(LORA_NODE, newNode()),
  },
  [`GET ${LORA_GATEWAY}/:deviceId`]: {
    needs: "query",
    owner: "ownerAppId",
    ask: async ({ loraGateway }) => one(`${LORA_GATEWAY}/${await loraGateway()}`),
  },
  [`GET ${LORA_NODE}/:deviceId`]: {
    needs: "query",
    owner: "ownerAppId",
    ask: async ({ loraNode }) => one(`${LORA_NODE}/${await loraNode()}`),
  },
  [`DELETE ${LORA_GATEWAY}/:deviceId`]: {
    needs: "edit",
    owner: "ownerAppId",
    ask: async ({ loraGateway }) => one(`${LORA_GATEWAY}/${await loraGateway()}`),
  },
  [`DELETE ${LORA_NODE}/:deviceId`]: {
    needs: "edit",
    owner: "ownerAppId",
    ask: async ({ loraNode }) => one(`${LORA_NODE}/${await loraNode()}`),
  },
  [`GET ${PACKAGES}`]: { needs: "caller", ask: async () => one(PACKAGES) },
  [`GET ${PACKAGES}/:fileId`]: ofPackage,
  [`DELETE ${PACKAGES}/:fileId`]: ofPackage,
  [`POST ${UPGRADES}/softwareUpgrade`]: newUpgrade("software"),
  [`POST ${UPGRADES}/firmwareUpgrade`]: newUpgrade("firmware"),
  [`GET ${UPGRADES}/:operationId`]: ofUpgrade(""),
  [`GET ${UPGRADES}/:operationId/subOperations`]: ofUpgrade("/subOperations"),
  [`GET ${UPGRADES}`]: {
    needs: "caller",
    ask: async ({ online }) => [...one(UPGRADES), ...one(`${UPGRADES}?deviceId=${online}`)],
  },
};
const WITHOUT_TOKEN = ["POST /iocm/app/sec/v1.1.0/login", "POST /iocm/app/sec/v1.1.0/refreshToken"];
// Without a name in them they are about whatever the caller may see; with its own appId, that is its own things.
const LISTS = ["GET ", "DELETE "].map((method) => `${method}${SUBSCRIPTIONS}`).concat(`POST ${SUBSCRIPTIONS}`);

const IN_BODY: Partial<Record<NonNullable<Row["owner"]>, string>> = { body: "appId", "lora body": "ownerAppId" };
const named = ({ owner = "appId" }: Row, { path, body }: Path, appId: string): Path =>
  IN_BODY[owner]
    ? { path, body: { ...body, [IN_BODY[owner]]: appId } }
    : { path: `${path}${path.includes("?") ? "&" : "?"}${owner}=${appId}`, ...(body && { body }) };

test("every route is walked", () => {
  const routes = harness().app.routes.filter(({ method }) => method !== "ALL");
  const known = new Set(routes.map(({ method, path }) => `${method} ${path}`));
  expect([...known].sort()).toEqual([...Object.keys(ROWS), ...WITHOUT_TOKEN].sort());
});

test("what belongs to another application can be read and changed with its authorisation only", async () => {
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  await using islet = await startIslet({
    data: folder.path,
    settings: { "devices.online_grace_ms": "1", ...STILL_UPGRADES },
  });
  await using owner = await furnish(islet, "Qowner", receiver.url("/Qowner"));
  await using third = await furnish(islet, "Qthird", receiver.url("/Qthird"));
  const mine = await setUp(islet, "caller");
  const { app: caller, appId: callerId } = mine;
  const grantPath = `/apps/${owner.appId}/grants/${callerId}`;
  const grant = async (access: string) => expect((await owner.manage("PUT", grantPath, { access })).status).toBe(200);

  type Outcome = { status: number; code: string | undefined; text: string; changed: string[]; leaked: string[] };
  /** One call of the caller, and everything that it did and told. */
  async function walk(method: string, { path, body }: Path, secretsOf: Furnished): Promise<Outcome> {
    const before = readRegistry(folder.path);
    const answer = await caller<{ error_code?: string }>(method, path, body);
    const after = readRegistry(folder.path);
    const text = JSON.stringify(answer.body);
    const request = decodeURIComponent(path) + JSON.stringify(body ?? {});
    return {
      status: answer.status,
      code: answer.body.error_code,
      text,
      changed: Object.keys(after).filter((table) => !Bun.deepEquals(after[table], before[table])),
      leaked: secretsOf.leaks(text, request),
    };
  }
  const wrong: string[] = [];
  const check = (phase: string, route: string, isRight: boolean, outcome: Outcome) => {
    if (!isRight) wrong.push(`${phase}: ${route}: ${JSON.stringify(outcome).slice(0, 400)}`);
  };
  async function everywhere(visit: (route: string, method: string, row: Row) => Promise<void>) {
    for (const [route, row] of Object.entries(ROWS)) await visit(route, route.slice(0, route.indexOf(" ")), row);
  }

  /** The name means nothing: what comes of it is the caller's, and goes with it. */
  async function namingNobody(route: string, method: string, sample: Path): Promise<void> {
    const before = readRegistry(folder.path);
    const outcome = await walk(method, sample, owner);
    await caller("DELETE", SUBSCRIPTIONS);
    const isUndone = Bun.deepEquals(readRegistry(folder.path).subscription, before.subscription);
    const isOwn = outcome.code === undefined && outcome.changed.includes("subscription") && isUndone;
    check("its own, naming the owner", route, isOwn && outcome.leaked.length === 0, outcome);
  }

  /** Nothing without the right: neither under its own name, nor under the owner's. */
  async function asStranger(phase: string): Promise<void> {
    await everywhere(async (route, method, row) => {
      for (const sample of await row.ask(owner)) {
        const own = await walk(method, sample, owner);
        if (row.needs === "caller") {
          const naming = await walk(method, named(row, sample, owner.appId), owner);
          for (const it of [own, naming]) {
            const isNothing = it.leaked.length + it.changed.length === 0 && it.status < 500;
            check(phase, route, isNothing && it.code === row.missing, it);
          }
          continue;
        }
        const isOwnAffair = route === `POST ${SUBSCRIPTIONS}` || row.needs === "own"; // its own subscription to its own data
        check(phase, route, own.leaked.length === 0 && (isOwnAffair || own.changed.length === 0), own);
        const isAllowed = row.needs === "query" || isOwnAffair; // lists of what is its own: nothing
        check(phase, route, own.status < 500 && (isAllowed || own.code !== undefined), own);
        if (isOwnAffair) await caller("DELETE", SUBSCRIPTIONS);
        if (row.needs === "own") {
          await namingNobody(route, method, named(row, sample, owner.appId));
          continue;
        }
        const acting = await walk(method, named(row, sample, owner.appId), owner);
        const isRefused = acting.code === "100217" && acting.leaked.length + acting.changed.length === 0;
        check(`${phase}, naming the owner`, route, isRefused, acting);
      }
    });
  }

  await asStranger("without authorisation");

  await grant("query");
  await everywhere(async (route, method, row) => {
    if (row.needs === "own" || row.needs === "caller") return;
    for (const sample of await row.ask(owner)) {
      const outcome = await walk(method, named(row, sample, owner.appId), owner);
      if (row.needs === "query") {
        const isShown =
          outcome.code === undefined && [owner.mark, ...owner.ids].some((it) => outcome.text.includes(it));
        check("query", route, isShown && outcome.changed.length === 0, outcome);
      } else if (route === `POST ${SUBSCRIPTIONS}`) {
        check("query", route, outcome.status === 201, outcome);
        const undone = await walk("DELETE", { path: `${SUBSCRIPTIONS}?appId=${owner.appId}` }, owner);
        check("query", "its own subscription", undone.status === 204, undone);
        check("query", "nothing left to delete", undone.changed.join() === "subscription", undone);
      } else if (row.needs === "address") {
        check("query", route, outcome.code === "100225" && outcome.changed.length === 0, outcome);
      } else {
        const code = route.includes("/lora/") ? "100249" : "100217";
        check("query", route, outcome.code === code && outcome.changed.length === 0, outcome);
      }
    }
  });

  await grant("edit");
  // A right on one application opens no other: not by its ids under the authorised name, and not by its own name.
  await everywhere(async (route, method, row) => {
    for (const sample of await row.ask(third)) {
      if (row.needs === "own" || row.needs === "caller") continue;
      const byName = await walk(method, named(row, sample, third.appId), third);
      check("third", route, byName.code === "100217" && byName.leaked.length + byName.changed.length === 0, byName);
      if (LISTS.includes(route)) continue;
      const byIds = await walk(method, named(row, sample, owner.appId), third);
      check("third's ids", route, byIds.leaked.length + byIds.changed.length === 0 && byIds.status < 500, byIds);
      check("third's ids", route, row.needs === "query" || byIds.code !== undefined, byIds);
    }
  });
  // Groups hold the devices of their own application, whatever its right on others.
  const group = (await caller<{ id: string }>("POST", GROUPS, { name: "Mine" })).body.id;
  const add = "/iocm/app/dm/v1.1.0/devices/addDevGroupTagToDevices";
  const move = { devGroupId: group, deviceIds: [await owner.device()] };
  const intoOwn = await walk("POST", { path: add, body: move }, third);
  check("groups", add, intoOwn.code === "100604" && intoOwn.changed.length === 0, intoOwn);
  const intoForeign = await walk("POST", { path: `${add}?accessAppId=${owner.appId}`, body: move }, third);
  check("groups", add, intoForeign.code === "100603" && intoForeign.changed.length === 0, intoForeign);
  await caller("DELETE", `${GROUPS}/${group}`);
  // So do products.
  for (const { productId } of [third, mine]) {
    const path = `${DEVICE}/${await owner.device()}?appId=${owner.appId}`;
    const outcome = await walk("PUT", { path, body: { productId } }, third);
    check("products", path, outcome.code === "100022" && outcome.changed.length === 0, outcome);
    const register = `${CREDENTIALS.replace("v1.1.0", "v2.0.0")}?appId=${owner.appId}`;
    const made = await walk("POST", { path: register, body: { deviceInfo: { nodeId: "new" }, productId } }, third);
    check("products", register, made.code === "600002" && made.changed.length === 0, made);
  }

  await everywhere(async (route, method, row) => {
    if (row.needs === "own" || row.needs === "caller") return;
    for (const sample of await row.ask(owner)) {
      const outcome = await walk(method, named(row, sample, owner.appId), third);
      const isDone = outcome.code === undefined && outcome.leaked.length === 0;
      check("edit", route, isDone && (row.needs === "query") === (outcome.changed.length === 0), outcome);
      check("edit", route, !outcome.changed.some((table) => table.startsWith("application")), outcome);
    }
  });

  expect((await owner.manage("DELETE", grantPath)).status).toBe(204);
  await asStranger("revoked");
  expect(wrong).toEqual([]);
});

import { expect, test } from "bun:test";
import { eventually } from "../../support/eventually";
import type { Islet } from "../../support/islet";
import { addLoraProducts, connectServer } from "../../support/lora";
import { callerRows, inBody, inQuery, LORA } from "./caller-rows";
import { CALLER_SETTINGS, type Call, furnishCallers } from "./callers";
import { testChapter } from "./chapter";
import { UNSTORABLE } from "./faults";
import { PATHS, product } from "./product-models";

const KEY = "2b7e151628aed2a6abf7158809cf4f3c";
const APP_EUI = "70B3D57ED0000001";
const KINDS = {
  gateway: { path: "/api/v3.0/devices/lora/gateway", eui: "gatewayEUI" },
  node: { path: "/api/v3.0/devices/lora/node", eui: "devEUI" },
} as const;
type Kind = keyof typeof KINDS;

async function furnish(islet: Islet, data: string) {
  const callers = await furnishCallers(islet, data);
  const { caller, get, manage, next, ask } = callers;
  const products = await addLoraProducts({ manage, appId: caller.appId });
  const sensor = await callers.addProduct(caller, product("Sensor", "MQTT", []));
  const faulty = await callers.addFaulty(product("Faulty", "LoRaWAN", []));
  callers.refuseToStore();

  async function addServer() {
    const body = { deviceInfo: { nodeId: next("server") }, productId: products.server };
    return get<{ deviceId: string; secret: string }>({ method: "POST", path: PATHS.byPassword, body });
  }
  /** Agrees to everything but what is called `refused`. */
  async function startServer() {
    const server = await addServer();
    const lora = await connectServer(islet, server);
    lora.decide = ({ paras }) =>
      paras.name === "refused" ? { errcode: 12, body: { reason: "no free slots" } } : { errcode: 0 };
    return { ...lora, server: server.deviceId };
  }
  const offline = await addServer();
  const online = await startServer();

  let euis = 0;
  const eui = (start = "00800000a") => start + `${++euis}`.padStart(16 - start.length, "0");
  const gateway = (more: object = {}): Call => ({
    ...{ method: "POST", path: KINDS.gateway.path },
    body: { loraServerId: online.server, productId: products.gateway, gatewayEUI: eui(), name: "Roof", ...more },
  });
  const node = (more: object = {}): Call => ({
    ...{ method: "POST", path: KINDS.node.path },
    body: {
      ...{ loraServerId: online.server, productId: products.node, devEUI: eui(), name: "Cellar" },
      ...{ appEUI: APP_EUI, appKey: KEY, ...more },
    },
  });
  const register = (kind: Kind, more: object = {}) => (kind === "gateway" ? gateway(more) : node(more));
  const add = async (kind: Kind, more: object = {}) => (await get<{ deviceId: string }>(register(kind, more))).deviceId;
  /** At a server of its own, which then leaves. */
  async function orphan(kind: Kind, how: "disconnected" | "deleted"): Promise<string> {
    const { server, client } = await startServer();
    const deviceId = await add(kind, { loraServerId: server });
    await client.endAsync();
    const path = `${PATHS.devices}/${server}`;
    if (how === "deleted") await get({ method: "DELETE", path: `${path}?cascade=false` });
    else
      await eventually(
        () => get<{ deviceInfo: { status: string } }>({ method: "GET", path }),
        ({ deviceInfo }) => deviceInfo.status === "OFFLINE",
      );
    return deviceId;
  }
  const there = { gateway: await add("gateway"), node: await add("node") };
  return {
    ...callers,
    ...{ online, offline: offline.deviceId, products, sensor, faulty, eui, register, add, orphan, there, ask },
    show: (kind: Kind, deviceId: string): Call => ({ method: "GET", path: `${KINDS[kind].path}/${deviceId}` }),
    remove: (kind: Kind, deviceId: string): Call => ({ method: "DELETE", path: `${KINDS[kind].path}/${deviceId}` }),
  };
}
type World = Awaited<ReturnType<typeof furnish>>;

/** Rows that registering a gateway and registering a node have in common. */
const registrations = (kind: Kind) => [
  ...callerRows<World>(
    ({ register }) => register(kind),
    { ...LORA, "403 100249": "namesReadable" },
    inBody("ownerAppId"),
  ),
  {
    line: "400 106018" as const,
    provoke: ({ ask, register }: World) => ask(register(kind, { productId: "nothing" })),
  },
  {
    line: "400 1200014" as const,
    provoke: ({ ask, register }: World) => ask(register(kind, { name: "refused" })),
  },
  {
    line: "403 1200006" as const,
    provoke: ({ ask, register, offline }: World) => ask(register(kind, { loraServerId: offline })),
  },
  {
    line: "403 1200007" as const,
    provoke: ({ ask, register, sensor }: World) => ask(register(kind, { productId: sensor })),
  },
  {
    line: "404 1200017" as const,
    provoke: ({ ask, register }: World) => ask(register(kind, { loraServerId: "nobody" })),
  },
  {
    line: "500 100001" as const,
    provoke: ({ ask, register, faulty: { owner, productId, deviceId } }: World) =>
      ask(register(kind, { productId, loraServerId: deviceId }), owner),
  },
];

const shown = (kind: Kind) => [
  ...callerRows<World>(({ show, there }) => show(kind, there[kind]), LORA, inQuery("ownerAppId")),
  {
    line: "403 100249" as const,
    cannot: "The right to look is enough to look; who may not even do that is told 100217.",
  },
  {
    line: "500 100001" as const,
    provoke: ({ ask, show, faulty }: World) => ask(show(kind, faulty.deviceId), faulty.owner),
  },
];

const removed = (kind: Kind) => [
  ...callerRows<World>(
    ({ remove, there }) => remove(kind, there[kind]),
    { ...LORA, "403 100249": "namesReadable" },
    inQuery("ownerAppId"),
  ),
  {
    line: "403 1200006" as const,
    provoke: async ({ ask, remove, orphan }: World) => ask(remove(kind, await orphan(kind, "disconnected"))),
  },
  {
    line: "404 1200017" as const,
    provoke: async ({ ask, remove, orphan }: World) => ask(remove(kind, await orphan(kind, "deleted"))),
  },
  {
    line: "500 100001" as const,
    provoke: ({ ask, remove, faulty }: World) => ask(remove(kind, faulty.deviceId), faulty.owner),
  },
];

const worksToRemove =
  (kind: Kind) =>
  async ({ ask, add, remove, show, online }: World) => {
    const deviceId = await add(kind);
    const seen = await ask(remove(kind, deviceId));
    expect([seen.status, seen.text]).toEqual([204, ""]);
    expect((await ask(show(kind, deviceId))).status).toBe(404);
    expect(online.requests.at(-1)).toMatchObject({ serviceId: "$lora", cmd: `DELETE_${kind.toUpperCase()}` });
  };

testChapter<World>({
  chapters: ["1.5"],
  sections: ["1.5.10", "1.5.11", "1.5.12", "1.5.13", "1.5.14", "1.5.15"],
  settings: { ...CALLER_SETTINGS, "devices.online_grace_ms": "10" },
  furnish,
  close: async ({ online }) => void (await online.client.endAsync()),
  endpoints: [
    {
      section: "1.5.10",
      async works({ ask, register, eui, products }) {
        const given = { gatewayEUI: eui(), gatewaySeq: KEY };
        const call = register("gateway", given);
        const seen = await ask(call);
        const deviceId = `${products.gateway}_${given.gatewayEUI}`;
        expect([seen.status, JSON.parse(seen.text)]).toEqual([201, { ...(call.body as object), deviceId }]);
        const less = await ask(register("gateway"));
        expect([less.status, JSON.parse(less.text).gatewaySeq]).toEqual([201, null]);
      },
      rows: [
        ...registrations("gateway"),
        {
          line: "400 1200013",
          async provoke({ ask, register, eui }) {
            const gatewayEUI = eui();
            await ask(register("gateway", { gatewayEUI }));
            return ask(register("gateway", { gatewayEUI: gatewayEUI.toUpperCase() }));
          },
        },
        {
          line: "403 1200015",
          provoke: ({ ask, register, products }) => ask(register("gateway", { productId: products.node })),
        },
        {
          line: "403 1200019",
          async provoke({ ask, register, eui }) {
            const taken = eui();
            await ask(register("node", { devEUI: taken }));
            return ask(register("gateway", { gatewayEUI: taken }));
          },
        },
        {
          line: "500 1200001",
          provoke: ({ ask, register, eui }) => ask(register("gateway", { gatewayEUI: eui(UNSTORABLE) })),
        },
      ],
    },
    {
      section: "1.5.11",
      async works({ ask, register, eui, products }) {
        const nothing = {
          authCode: null,
          appSKey: null,
          devAddr: null,
          nwkSKey: null,
          appKey: null,
          description: null,
        };
        const otaa = { devEUI: eui(), authCode: KEY, description: "Under the stairs" };
        const abp = {
          ...{ devEUI: eui(), joinType: "ABP", deviceClass: "classC", appKey: "" },
          ...{ appSKey: KEY, nwkSKey: KEY, devAddr: "0012aBcD" },
        };
        for (const [given, made] of [
          [otaa, { joinType: "OTAA", deviceClass: "classA" }],
          [abp, { appKey: null }],
        ] as const) {
          const call = register("node", given);
          const seen = await ask(call);
          const deviceId = `${products.node}_${given.devEUI}`;
          const whole = { ...nothing, ...(call.body as object), ...made, deviceId };
          expect([seen.status, JSON.parse(seen.text)]).toEqual([201, whole]);
        }
      },
      rows: [
        ...registrations("node"),
        { line: "400 1200008", provoke: ({ ask, register }) => ask(register("node", { appKey: "" })) },
        { line: "400 1200009", provoke: ({ ask, register }) => ask(register("node", { joinType: "ABP" })) },
        {
          line: "400 1200010",
          provoke: ({ ask, register }) => ask(register("node", { joinType: "ABP", appSKey: KEY })),
        },
        {
          line: "400 1200011",
          provoke: ({ ask, register }) => ask(register("node", { joinType: "ABP", appSKey: KEY, nwkSKey: KEY })),
        },
        {
          line: "400 1200012",
          async provoke({ ask, register, eui }) {
            const devEUI = eui();
            await ask(register("node", { devEUI }));
            return ask(register("node", { devEUI }));
          },
        },
        {
          line: "403 1200016",
          provoke: ({ ask, register, products }) => ask(register("node", { productId: products.gateway })),
        },
        {
          line: "403 1200018",
          async provoke({ ask, register, eui }) {
            const taken = eui();
            await ask(register("gateway", { gatewayEUI: taken }));
            return ask(register("node", { devEUI: taken }));
          },
        },
        {
          line: "500 1200000",
          provoke: ({ ask, register, eui }) => ask(register("node", { devEUI: eui(UNSTORABLE) })),
        },
      ],
    },
    {
      section: "1.5.12",
      async works({ ask, get, register, show }) {
        const made = await get<{ deviceId: string }>(register("gateway", { gatewaySeq: KEY }));
        const seen = await ask(show("gateway", made.deviceId));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, made]);
      },
      rows: [
        ...shown("gateway"),
        { line: "404 1200003", provoke: ({ ask, show, there }) => ask(show("gateway", there.node)) },
      ],
    },
    {
      section: "1.5.13",
      works: worksToRemove("gateway"),
      rows: [
        ...removed("gateway"),
        { line: "404 1200003", provoke: ({ ask, remove }) => ask(remove("gateway", "nobody")) },
      ],
    },
    {
      section: "1.5.14",
      async works({ ask, get, register, show }) {
        const abp = { joinType: "ABP", appSKey: KEY, nwkSKey: KEY, devAddr: "0012aBcD", authCode: KEY };
        const made = await get<{ deviceId: string }>(register("node", { ...abp, description: "Under the stairs" }));
        const seen = await ask(show("node", made.deviceId));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, made]);
      },
      rows: [
        ...shown("node"),
        { line: "404 1200002", provoke: ({ ask, show, there }) => ask(show("node", there.gateway)) },
      ],
    },
    {
      section: "1.5.15",
      works: worksToRemove("node"),
      rows: [...removed("node"), { line: "404 1200002", provoke: ({ ask, remove }) => ask(remove("node", "nobody")) }],
    },
  ],
  more(world) {
    const hex = (length: number) => "a".repeat(length);
    test.each([
      ["gateway", "name", 1, 256],
      ["node", "name", 1, 256],
      ["node", "description", 1, 2_048],
      ["node", "deviceClass", 1, 64],
    ] as const)("a %s has a %s of %d to %d characters", async (kind, field, min, max) => {
      const { ask, register } = world();
      const outcome = async (length: number) => (await ask(register(kind, { [field]: hex(length) }))).status;
      expect([await outcome(min), await outcome(max), await outcome(max + 1)]).toEqual([201, 201, 400]);
    });
    test.each([
      ["gateway", "gatewayEUI", 16],
      ["gateway", "gatewaySeq", 32],
      ["node", "devEUI", 16],
      ["node", "appEUI", 16],
      ["node", "authCode", 32],
      ["node", "appKey", 32],
      ["node", "appSKey", 32],
      ["node", "nwkSKey", 32],
      ["node", "devAddr", 8],
    ] as const)(
      "a %s has a %s of exactly %d hexadecimal digits; with anything else its server is not asked",
      async (kind, field, digits) => {
        const { ask, register, online } = world();
        const before = online.requests.length;
        for (const value of [hex(digits - 1), hex(digits + 1), `${hex(digits - 1)}g`, 7]) {
          const seen = await ask(register(kind, { [field]: value }));
          expect([seen.status, JSON.parse(seen.text).error_code]).toEqual([400, "100022"]);
        }
        expect(online.requests.length).toBe(before);
      },
    );
    test.each([
      ["gateway", ["loraServerId", "productId", "gatewayEUI", "name"]],
      ["node", ["loraServerId", "productId", "devEUI", "name", "appEUI"]],
    ] as const)("a %s needs all of %p", async (kind, fields) => {
      const { ask, register } = world();
      for (const field of fields) {
        const seen = await ask(register(kind, { [field]: null }));
        expect([field, seen.status, JSON.parse(seen.text).error_code]).toEqual([field, 400, "100022"]);
      }
    });
    test("a joinType that nobody knows is refused", async () => {
      const { ask, register } = world();
      expect((await ask(register("node", { joinType: "otaa" }))).status).toBe(400);
    });
  },
});

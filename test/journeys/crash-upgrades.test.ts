import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { upgradeBehaviour } from "../../src/simulator/upgrade/behaviour";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { temporaryFolder } from "../support/islet";
import { level, type Registered } from "../support/nb-iot";
import { restartingIslet } from "../support/restarting-islet";
import {
  contentOf,
  type Installed,
  lwm2mDevice,
  mqttDevice,
  QUICK,
  registerSensor,
  type SubOperation,
  saidIn,
  setUpUpgrades,
  sha256,
  type UpgradeDesk,
  upgradeDesk,
} from "../support/upgrades";

setDefaultTimeout(180_000);

const SETTINGS = {
  ...QUICK,
  "coap.ack_timeout_ms": "500",
  "upgrades.result_ms": "4000",
  "upgrades.mqtt_ms": "20000",
  "upgrades.download_ms": "15000",
};
/** From the first moment on; restarts take their time on a busy machine. */
const TIMES = { paceMs: 5, slowPaceMs: 20, installMs: 500, restartMs: 100, answerMs: 1_000, maxAttempts: 40 };

/**
 * When the process is killed: with this message on its way to the device, for the n-th time since the task was made
 * (`stage`: when the row says that it has come so far). It is lost, or the device takes it and its answer is lost.
 */
type At =
  | { readonly message: string; readonly times?: number; readonly is: "lost" | "taken" }
  | { readonly stage: string };
type Round = { readonly name: string; readonly pcp: At; readonly object5: At; readonly mqtt: MqttAt };
/** Over MQTT: when the device has heard this, has said this, has installed; or by the row. */
type MqttAt = { readonly heard: string } | { readonly said: string } | "installed" | { readonly stage: string };
const lost = (message: string, times = 1): At => ({ message, times, is: "lost" });
const taken = (message: string, times = 1): At => ({ message, times, is: "taken" });

const ROUNDS: readonly Round[] = [
  { name: "version", pcp: lost("queryVersionRequest"), object5: taken("GET /3/0/3"), mqtt: { heard: "version_query" } },
  {
    name: "version, heard",
    pcp: taken("queryVersionRequest"),
    object5: lost("GET /3/0/3"),
    mqtt: { said: "version_report" },
  },
  { name: "radio", pcp: lost("GET /4/0"), object5: taken("GET /4/0"), mqtt: { heard: "software_upgrade" } },
  {
    name: "announcing",
    pcp: lost("newVersionRequest"),
    object5: taken("PUT /5/0/1 uri"),
    mqtt: { heard: "software_upgrade" },
  },
  {
    name: "announced",
    pcp: taken("newVersionRequest"),
    object5: lost("PUT /5/0/1 uri"),
    mqtt: { stage: "downloading" },
  },
  { name: "downloading", pcp: lost("shardResponse", 4), object5: taken("2.05 ", 4), mqtt: { said: '"progress":25' } },
  {
    name: "downloaded",
    pcp: lost("downloadResultResponse"),
    object5: taken("2.05 ", 8),
    mqtt: { said: '"progress":75' },
  },
  { name: "executing", pcp: lost("executeRequest"), object5: lost("POST /5/0/2"), mqtt: "installed" },
  { name: "executing, heard", pcp: taken("executeRequest"), object5: taken("POST /5/0/2"), mqtt: "installed" },
  { name: "updating", pcp: { stage: "updating" }, object5: { stage: "updating" }, mqtt: { said: '"progress":100' } },
  {
    name: "result",
    pcp: lost("upgradeResultResponse"),
    object5: taken("GET /3/0/3", 2),
    mqtt: { said: '"progress":100' },
  },
];

type Task = { readonly operationId: string; readonly device: Upgraded };
type Upgraded = {
  readonly deviceId: string;
  readonly installed: readonly Installed[];
  readonly orders?: number;
  before: number;
  ordersBefore: number;
};

/** Of one device over UDP: lets datagrams through until the moment has come; from then on nothing leaves it. */
function gate(stageOf: () => string | undefined) {
  let at: At | undefined;
  let seen = new Set<string>();
  let reached = Promise.withResolvers<void>();
  let isShut = false;
  return {
    datagram(bytes: Uint8Array, way: "in" | "out"): "lost" | undefined {
      if (isShut) return "lost";
      if (way === "out" || !at || !("message" in at)) return undefined;
      const { name, id } = saidIn(bytes);
      if (name !== at.message) return undefined;
      seen.add(id);
      if (seen.size < (at.times ?? 1)) return undefined;
      isShut = true;
      reached.resolve();
      return at.is === "lost" ? "lost" : undefined;
    },
    async until(moment: At): Promise<void> {
      seen = new Set();
      reached = Promise.withResolvers();
      at = moment;
      if ("stage" in moment) {
        while (stageOf() !== moment.stage) await Bun.sleep(2);
        isShut = true;
      } else await reached.promise;
    },
    open(): void {
      at = undefined;
      isShut = false;
    },
  };
}

test("upgrades go on through kill -9 at every stage, and each device is told to install once", async () => {
  await using opened = new AsyncDisposableStack();
  const folder = opened.use(temporaryFolder());
  const islet = opened.use(await restartingIslet({ data: folder.path, settings: SETTINGS, keeps: ["http", "mqtt"] }));
  const receiver = opened.use(startCallbackReceiver());
  const its = await setUpUpgrades(islet.islet);
  await its.subscribe(receiver.url("/u"));
  let api: UpgradeDesk = its;
  const rows = rowsOf(folder.path);
  opened.use(rows);
  let version = 1;
  const contents = new Map<string, Uint8Array>();

  async function restart(): Promise<void> {
    await islet.kill();
    await islet.start();
    api = await upgradeDesk(islet.islet, its);
  }

  let lastNodeId = 0;
  const registerNb = () => its.register(its.productId, String(861_234_500_000_000 + ++lastNodeId));
  const udp = (device: Registered, behaviour = "good", cellId = lastNodeId) => {
    const door = gate(() => rows.stageOf(device.deviceId));
    const radio = { cellId, rsrpDbm: -120, sinrDb: -5 }; // one at a time
    const found = { ...(upgradeBehaviour(behaviour) as NonNullable<ReturnType<typeof upgradeBehaviour>>), radio };
    const it = lwm2mDevice(islet.islet.ready.coap, {
      device,
      behaviour: found,
      settings: { times: TIMES },
      datagram: door.datagram,
    });
    opened.defer(() => it[Symbol.asyncDispose]());
    return Object.assign(it, { door, deviceId: device.deviceId, before: 0, ordersBefore: 0 });
  };
  const moment = { of: undefined as MqttAt | undefined, come: () => {} };
  const seenBy = (kind: "heard" | "said", text: string) => {
    const { of } = moment;
    if (typeof of === "object" && kind in of && text.includes((of as Record<string, string>)[kind] as string))
      moment.come();
  };
  const connect = async (behaviour = "good") => {
    const device = await registerSensor({ ...its, app: api.app }, `sensor-${++lastNodeId}`);
    const it = await mqttDevice(islet.islet.ready.mqtt, {
      ...{ device, behaviour, pieceBytes: 500, settings: { times: TIMES } },
      heard: (eventType) => seenBy("heard", eventType),
      said: (text) => seenBy("said", text),
      installs: () => moment.of === "installed" && moment.come(),
    });
    opened.use(it);
    return Object.assign(it, { deviceId: device.deviceId, before: 0, ordersBefore: 0 });
  };

  /** A package of a further version for each way. */
  async function upload() {
    const target = `${++version}.0.0`;
    const content = contentOf(target, randomBytes(4_001));
    contents.set(target, content);
    const [pcp, object5, mqtt] = await Promise.all([
      api.upload("software", "LWM2M", target, content),
      api.upload("firmware", "LWM2M", target, content),
      api.upload("software", "MQTT", target, content),
    ]);
    return { target, pcp, object5, mqtt };
  }
  const begin = async (device: Upgraded, kind: "software" | "firmware", fileId: string): Promise<Task> => {
    device.before = device.installed.length;
    device.ordersBefore = device.orders ?? 0;
    return { operationId: await api.create(kind, fileId, { devices: [device.deviceId] }), device };
  };
  const results = (sub: SubOperation) =>
    receiver.received
      .flatMap(({ body }) =>
        body.subOperationId === sub.subOperationId ? [body.swUpgradeResult ?? body.status ?? []] : [],
      )
      .flat();

  async function expectSuccess(where: string, target: string, tasks: readonly Task[]): Promise<void> {
    for (const { operationId, device } of tasks) {
      const sub = (await eventually(
        async () => (await api.subOperations(operationId))[0],
        (it) => it !== undefined && !["wait", "processing"].includes(it.status),
        60_000,
      )) as SubOperation;
      const at = `${where}, ${sub.deviceId}`;
      expect([at, sub.status, sub.detailInfo]).toEqual([at, "success", null]);
      const [, ...more] = [at, ...device.installed.slice(device.before).map((it) => [it.version, it.sha256])];
      expect([at, more]).toEqual([at, [[target, sha256(contents.get(target) as Uint8Array)]]]);
      if (device.orders !== undefined) expect([at, device.orders - device.ordersBefore]).toEqual([at, 1]);
      await eventually(
        () => results(sub),
        (it) => it.length > 0,
      );
      expect([at, [...new Set(results(sub))]]).toEqual([at, ["SUCCESS"]]);
      expect(await api.operation(operationId)).toMatchObject({
        status: "success",
        staResult: { total: 1, success: 1, fail: 0 },
      });
    }
  }

  const pcp = udp(await registerNb());
  const object5 = udp(await registerNb());

  // Waiting: for its beginning, and for the device.
  const mqttLater = await registerSensor(its, "sensor-later");
  const first = await upload();
  const waiting = [await begin(pcp, "software", first.pcp), await begin(object5, "firmware", first.object5)];
  const absent = await api.create("software", first.mqtt, { devices: [mqttLater.deviceId] });
  await restart();
  await eventually(
    () => [pcp.deviceId, object5.deviceId, mqttLater.deviceId].map(rows.stageOf),
    (it) => it.every((stage) => stage === "online"),
  );
  await restart();
  expect([await pcp.register(), await object5.register()]).toEqual([true, true]);
  const late = await mqttDevice(islet.islet.ready.mqtt, { device: mqttLater, settings: { times: TIMES } });
  opened.use(late);
  await expectSuccess("online", first.target, [
    ...waiting,
    { operationId: absent, device: Object.assign(late, { deviceId: mqttLater.deviceId, before: 0, ordersBefore: 0 }) },
  ]);

  const mqtt = await connect();
  async function round(
    { name, ...at }: Round,
    devices: { pcp: typeof pcp; object5: typeof object5; mqtt: typeof mqtt },
  ) {
    const files = await upload();
    const reached = Promise.all([devices.pcp.door.until(at.pcp), devices.object5.door.until(at.object5)]);
    const tasks = [
      await begin(devices.pcp, "software", files.pcp),
      await begin(devices.object5, "firmware", files.object5),
    ];
    await reached;
    const dead = Promise.withResolvers<void>();
    moment.of = at.mqtt;
    moment.come = () => {
      moment.of = undefined;
      void islet.kill().then(dead.resolve);
    };
    tasks.push(await begin(devices.mqtt, "software", files.mqtt));
    if (typeof at.mqtt === "object" && "stage" in at.mqtt) {
      while (rows.stageOf(devices.mqtt.deviceId) !== at.mqtt.stage) await Bun.sleep(2);
      moment.come();
    }
    await dead.promise;
    for (const { door } of [devices.pcp, devices.object5]) door.open();
    await islet.start();
    api = await upgradeDesk(islet.islet, its);
    // A new process does not know who listens: it speaks to a device when it has heard it.
    for (const device of [devices.pcp, devices.object5]) void device.report(level(1));
    await expectSuccess(name, files.target, tasks);
  }
  for (const it of ROUNDS) await round(it, { pcp, object5, mqtt });

  // The result never comes: the platform asks for the version, and is killed then. (Object 5 is asked for it in `result`.)
  const quiet = {
    pcp: udp(await api.register(its.productId, "861234500000901"), "forgets", 901),
    object5: udp(await api.register(its.productId, "861234500000902"), "forgets", 902),
    mqtt: await connect("forgets"),
  };
  expect([await quiet.pcp.register(), await quiet.object5.register()]).toEqual([true, true]);
  await round(
    {
      name: "verifying",
      pcp: taken("queryVersionRequest", 2),
      object5: lost("GET /4/0"),
      mqtt: { stage: "verifying" },
    },
    quiet,
  );

  // Waiting for a place, which somebody has who is never heard again; whose time goes on while the process is dead.
  const files = await upload();
  const silent = udp(await api.register(its.productId, "861234500000911"), "silent-download", 911);
  const next = udp(await api.register(its.productId, "861234500000912"), "good", 911);
  expect([await silent.register(), await next.register()]).toEqual([true, true]);
  const blocker = await begin(silent, "software", files.pcp);
  await eventually(
    () => rows.stageOf(silent.deviceId),
    (stage) => stage === "downloading",
  );
  const behind = await begin(next, "firmware", files.object5);
  await eventually(
    () => rows.stageOf(next.deviceId),
    (stage) => stage === "slot",
  );
  const due = rows.dueOf(silent.deviceId);
  const dueBehind = rows.dueOf(next.deviceId);
  await restart();
  expect([rows.stageOf(next.deviceId), rows.dueOf(silent.deviceId), rows.dueOf(next.deviceId)]).toEqual([
    "slot",
    due,
    dueBehind,
  ]);
  void next.report(level(1));
  const [ended] = await eventually(
    () => api.subOperations(blocker.operationId),
    ([sub]) => sub?.status === "fail",
  );
  expect(ended?.detailInfo).toBe("Waiting for device downloaded package timeout");
  expect(rows.endedAfterDue(silent.deviceId, due as number)).toBeLessThan(5_000);
  await expectSuccess("slot", files.target, [behind]);
  console.log(`${islet.runs} runs of the process`);
});

/** The rows, as they are on disk. */
function rowsOf(data: string) {
  const db = new Database(join(data, "registry.db"), { readonly: true });
  const newest = db.query<{ stage: string | null; stage_due_ms: number | null; ended_ms: number | null }, [string]>(
    "SELECT stage, stage_due_ms, ended_ms FROM upgrade_sub_task WHERE device_id = ? ORDER BY no DESC LIMIT 1",
  );
  return {
    stageOf: (deviceId: string) => newest.get(deviceId)?.stage ?? undefined,
    dueOf: (deviceId: string) => newest.get(deviceId)?.stage_due_ms ?? undefined,
    /** Ms from when its time was over to its end. */
    endedAfterDue: (deviceId: string, due: number) => (newest.get(deviceId)?.ended_ms ?? Number.NaN) - due,
    [Symbol.dispose]: () => db.close(),
  };
}

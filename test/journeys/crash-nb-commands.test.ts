import { expect, test } from "bun:test";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { startCallbackReceiver } from "../support/callback-receiver";
import { eventually } from "../support/eventually";
import { temporaryFolder } from "../support/islet";
import type { NbDevice } from "../support/nb-device";
import { answer, type Command, level, login, plainDevice, readAlarm, setUpNbIot } from "../support/nb-iot";
import { type RestartingIslet, restartingIslet } from "../support/restarting-islet";
import { type SecureDevice, secureDevice } from "../support/secure-device";

const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const RANDOM_ROUNDS = 4;
const COMMANDS_A_ROUND = 8;
const settings = {
  "commands.ack_timeout_ms": "15000",
  "commands.retransmit_ms": "400",
  "commands.max_retransmit": "4",
  "push.retry_interval_ms": "100",
  // So that a device sleeps again soon, and a command for it waits.
  "lwm2m.awake_ms": "500",
};
/** Commands of these values are executed, and never answered. */
const isSilent = (value: number) => value % 5 === 4;

type Api = Awaited<ReturnType<typeof login>>;
/** What a device and its application have seen. Values of commands are its counter, so each stands for one command. */
type Commanded = {
  readonly deviceId: string;
  readonly accepted: Map<number, string>; // value → commandId
  readonly executed: Map<number, number>; // value → times
  /** Answers whose acknowledgement the device has. */
  readonly answered: Set<number>;
  attempts: number;
};
const commanded = (deviceId: string): Commanded => ({
  ...{ deviceId, accepted: new Map(), executed: new Map(), answered: new Set(), attempts: 0 },
});
const count = (it: Commanded, value: number) => it.executed.set(value, (it.executed.get(value) ?? 0) + 1);

/** When the process is killed: as soon as it has come so far with both devices, an LwM2M and a TUP one. */
const STAGES = ["created", "heard", "received", "acknowledged", "repeated", "answered", "told"] as const;
type Stage = (typeof STAGES)[number];

/** Does what the test says when each of `parties` has come to the stage that is awaited. */
function barrier(parties: number) {
  let armed: { stage: Stage; arrived: Set<unknown>; act: () => void } | undefined;
  return {
    arm(stage: Stage, act: () => void) {
      armed = { stage, arrived: new Set(), act };
    },
    isAwaited: (stage: Stage) => armed?.stage === stage,
    arrive(stage: Stage, who: unknown): void {
      if (armed?.stage !== stage) return;
      armed.arrived.add(who);
      if (armed.arrived.size < parties) return;
      const { act } = armed;
      armed = undefined;
      act();
    },
  };
}
type Barrier = ReturnType<typeof barrier>;

/** A conformant device of the plain port: takes a message id once, executes, acknowledges, answers until that is taken. */
async function plain(islet: RestartingIslet, ep: string, deviceId: string, style: "lwm2m" | "tup", at: Barrier) {
  const facts = commanded(deviceId);
  const answering = new Set<number>();
  let turn: Promise<unknown> = Promise.resolve();
  /** One exchange of its own at a time. */
  const say = (payload: Uint8Array) => {
    const said = turn.then(() => device.deliver(payload));
    turn = said.catch(() => {}); // switched off
    return said;
  };
  const device: NbDevice = await plainDevice(islet.islet, {
    ...{ ep, style },
    take(payload, copy, acknowledge) {
      const { mid, value } = readAlarm(payload);
      if (copy === 0) count(facts, value);
      if (!islet.isRunning) return; // a copy that a dead process has left in the socket
      const isKept = at.isAwaited("received") || at.isAwaited("repeated"); // its ACK gets lost
      const answersLater = isKept && (style === "lwm2m" || at.isAwaited("repeated"));
      if (copy > 0) at.arrive("repeated", facts);
      at.arrive("received", facts);
      if (!isKept) {
        acknowledge();
        at.arrive("acknowledged", facts);
      }
      if (isSilent(value) || answering.has(value) || answersLater) return;
      answering.add(value);
      void say(answer(mid, 0, value)).then(
        () => {
          facts.answered.add(value);
          at.arrive("answered", facts);
        },
        () => {},
      );
    },
  });
  await device.register();
  return { facts, device, contact: () => say(level(1)) };
}

/** A secure one, with the simulator's own stack. */
async function secure(islet: RestartingIslet, it: Api, productId: string, random: () => number) {
  const registered = await it.register(productId, "commanded-secure", { isSecure: true });
  const facts = commanded(registered.deviceId);
  const answering: number[] = [];
  const device: SecureDevice = secureDevice(islet.islet.ready.coaps, {
    ...{ device: registered, random },
    execute: (payload) => void count(facts, readAlarm(payload).value),
    answer(payload) {
      const { mid, value } = readAlarm(payload);
      if (isSilent(value)) return undefined;
      answering.push(value); // answers leave in this order
      return answer(mid, 0, value);
    },
    answered(isTaken) {
      const value = answering.shift() as number;
      if (isTaken) facts.answered.add(value);
    },
  });
  expect(await device.register()).toBe(true);
  return { facts, device, contact: () => device.report(level(1)) };
}

async function create(api: Api, it: Commanded, more: object = {}): Promise<number> {
  const value = it.attempts++;
  const made = await api.command(it.deviceId, value, more).catch(() => undefined); // killed under it
  if (made?.status === 201) it.accepted.set(value, made.body.commandId);
  return made?.status ?? 0;
}

/**
 * Devices that sleep and commands for them; SIGKILL at each transition of a command and at random moments; the same data
 * goes through all of it. In the end every command is as its device and its application have seen it.
 */
test(`commands to sleeping devices end as they should through kill -9 (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  const restarts: number[] = []; // how many pushes had come by then
  await using islet = await restartingIslet({ data: folder.path, settings });
  const { appId, secret, productId, ...first } = await setUpNbIot(islet.islet);
  let api: Api = first;
  const at = barrier(2);
  const idOf = async (ep: string) => (await api.register(productId, ep)).deviceId;
  const one = await plain(islet, "861234500000101", await idOf("861234500000101"), "lwm2m", at);
  const two = await plain(islet, "861234500000102", await idOf("861234500000102"), "tup", at);
  using _one = one.device;
  using _two = two.device;
  const three = await secure(islet, api, productId, random);
  await using _three = three.device;
  // Asks for what waits, and hears nothing of what it gets.
  const deaf = commanded(await idOf("861234500000103"));
  using deafDevice = await plainDevice(islet.islet, { ep: "861234500000103" });
  await deafDevice.register();

  const more = () => ({ callbackUrl: receiver.url("/c"), ...(random() < 0.25 && { expireTime: 0 }) });
  const cached = () => ({ callbackUrl: receiver.url("/c") });
  const awake = [one, two, three];

  async function restart(): Promise<void> {
    await islet.kill();
    restarts.push(receiver.received.length);
    await islet.start();
    api = await login(islet.islet, appId, secret);
  }
  const isUnderWay = ({ status }: Command) => status === "PENDING" || status === "SENT";
  /** Nothing is under way any more, and for the platform the devices sleep. */
  const settle = () =>
    Promise.all(
      awake.map(async ({ facts: { deviceId }, contact }) => {
        const commands = async () => {
          await contact();
          return api.commands(deviceId);
        };
        await eventually(commands, (all) => !all.some(isUnderWay));
        await eventually(
          () => api.manage<{ listening: boolean }>("GET", `/devices/${deviceId}/registration`),
          ({ body }) => !body.listening,
        );
      }),
    );

  await settle();
  deafDevice.sleep();
  await create(api, deaf, cached());
  void deafDevice.report(level(1));
  await eventually(
    () => api.commands(deaf.deviceId),
    ([command]) => command?.status === "SENT",
  );
  for (const stage of STAGES) {
    const killed = Promise.withResolvers<void>();
    at.arm(stage, () => void islet.kill().then(killed.resolve));
    const pair = [one, two];
    for (const it of pair) {
      if (isSilent(it.facts.attempts)) it.facts.attempts++;
      expect(await create(api, it.facts, cached())).toBe(201);
      at.arrive("created", it.facts);
    }
    if (stage === "told")
      void receiver
        .until(() =>
          pair.every(({ facts }) => statusesOf(facts.accepted.get(facts.attempts - 1)).includes("SUCCESSFUL")),
        )
        .then(() => {
          for (const it of pair) at.arrive("told", it);
        });
    if (stage !== "created") for (const it of pair) void it.contact().then(() => at.arrive("heard", it.facts));
    await killed.promise;
    await restart();
    if (stage === "created")
      for (const { facts } of pair)
        expect((await api.commands(facts.deviceId)).at(-1)).toMatchObject({ status: "PENDING", issuedTimes: 0 });
    await settle();
  }

  for (let round = 0; round < RANDOM_ROUNDS; round++) {
    const loads = awake.map(async (it) => {
      for (let made = 0; made < COMMANDS_A_ROUND && islet.isRunning; made++) {
        await create(api, it.facts, more());
        if (random() < 0.3) void it.contact();
      }
    });
    await Bun.sleep(20 + random() * 300); // the random moment is the point of this test
    const dead = islet.kill();
    await Promise.all([...loads, dead]);
    await restart();
    for (const it of awake) void it.contact();
    if (round % 2 === 0) await settle();
  }
  await settle();
  await eventually(
    () => api.commands(deaf.deviceId),
    (commands) => !commands.some(isUnderWay),
  );

  const all = [one.facts, two.facts, three.facts, deaf];
  const known = new Map<Commanded, Command[]>();
  for (const it of all) known.set(it, await api.commands(it.deviceId));
  const every = [...known.values()].flat();
  await eventually(
    () =>
      every
        .map((it) => ({ ...it.command.paras, status: it.status, told: statusesOf(it.commandId) }))
        .filter(({ told, status }) => told.at(-1) !== status),
    (untold) => untold.length === 0,
  );

  for (const [it, commands] of known) {
    const ids = new Set(commands.map(({ commandId }) => commandId));
    expect([...it.accepted].filter(([, id]) => !ids.has(id))).toEqual([]);
    for (const command of commands) checkCommand(it, command);
    const byValue = new Map(commands.map((command) => [command.command.paras.value, command.status]));
    expect([...it.answered].filter((value) => byValue.get(value) !== "SUCCESSFUL")).toEqual([]);
    expect([...it.executed].filter(([value]) => !byValue.has(value))).toEqual([]);
  }
  const stories = new Set(every.map(({ commandId }) => statusesOf(commandId).join(" ")));
  for (const story of ["SENT DELIVERED SUCCESSFUL", "SENT DELIVERED", "SENT SUCCESSFUL", "SENT TIMEOUT"])
    expect(stories).toContain(story);
  expect([one.device.reusedIds, two.device.reusedIds, three.device.handshakes]).toEqual([0, 0, ["full"]]);
  checkRepetitions();
  const repeated = receiver.received.length - pushes().length;
  console.log(`${every.length} commands, ${pushes().length} pushes, ${repeated} of them repeated, ${islet.runs} runs`);

  function checkCommand(it: Commanded, command: Command): void {
    const { commandId, status, command: of, issuedTimes } = command;
    const { value } = of.paras;
    const where = `command ${value} of ${it.deviceId}, ${status}, SEED=${SEED}`;
    const times = it.executed.get(value) ?? 0;
    if (it === deaf) expect([status, times], where).toEqual(["TIMEOUT", 0]);
    else expect([status, times], where).toEqual([isSilent(value) ? "DELIVERED" : "SUCCESSFUL", 1]);
    expect(issuedTimes, where).toBeGreaterThan(0);
    const isCached = command.expireTime > 0; // whoever made an immediate one was told in the answer
    const story = [
      ...(isCached && command.platformIssuedTime ? ["SENT"] : []),
      ...(command.deliveredTime ? ["DELIVERED"] : []),
      ...(status === "DELIVERED" ? [] : [status]),
    ];
    expect(statusesOf(commandId), where).toEqual(story);
  }

  /** Each message once, in the order in which they came first. */
  function pushes() {
    const first = new Map<string, Pushed>();
    for (const { headers, body } of receiver.received) {
      const id = headers.get("x-islet-message") ?? "";
      if (!first.has(id)) first.set(id, body as Pushed);
    }
    return [...first.values()];
  }
  function statusesOf(commandId: string | undefined): string[] {
    return pushes()
      .filter((it) => it.commandId === commandId)
      .map(({ result }) => result.resultCode);
  }
  /** A message that was answered comes again only from a process that does not know that: once from each. */
  function checkRepetitions(): void {
    const texts = Map.groupBy(receiver.received, ({ headers }) => headers.get("x-islet-message"));
    for (const [id, same] of texts) expect([id, new Set(same.map(({ text }) => text)).size]).toEqual([id, 1]);
    const told = receiver.received.map(({ headers }, at) => {
      const run = restarts.filter((count) => count <= at).length;
      return `${headers.get("x-islet-message")} in run ${run}`;
    });
    expect(told.filter((it, at) => told.indexOf(it) !== at)).toEqual([]);
  }
}, 90_000);

type Pushed = { commandId: string; result: { resultCode: string } };

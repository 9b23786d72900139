import { expect, test } from "bun:test";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { PSK_AES_128_CBC_SHA256, PSK_AES_128_CCM_8 } from "../../src/wire/dtls";
import { eventually } from "../support/eventually";
import { temporaryFolder } from "../support/islet";
import { level, login, plainDevice, setUpNbIot } from "../support/nb-iot";
import { type RestartingIslet, restartingIslet } from "../support/restarting-islet";
import { type SecureDevice, secureDevice } from "../support/secure-device";

const SEED = Number(process.env.SEED ?? Date.now() % 100_000);
const ROUNDS = 4;

type Api = Awaited<ReturnType<typeof login>>;
type Reporter = {
  readonly name: string;
  readonly deviceId: string;
  /** Resolves when it is acknowledged, whatever happens to the platform meanwhile. */
  readonly report: (value: number) => Promise<unknown>;
  sent: number;
  /** Number of a report → the runs of the process in which it was first sent, and acknowledged. */
  readonly acknowledged: Map<number, { readonly from: number; readonly until: number }>;
};

const SECURE = [
  { name: "ccm8", suite: PSK_AES_128_CCM_8, connectionId: false },
  { name: "cbc", suite: PSK_AES_128_CBC_SHA256, connectionId: false },
  { name: "ccm8-cid", suite: PSK_AES_128_CCM_8, connectionId: true },
] as const;

/** Reports without end, one after the other, until the process is killed; then goes on with the one that was under way. */
async function load(it: Reporter, islet: RestartingIslet, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const value = ++it.sent;
    const from = islet.runs;
    await it.report(value);
    it.acknowledged.set(value, { from, until: islet.runs });
  }
}

async function levels(api: Api, { deviceId }: Reporter): Promise<number[]> {
  return (await api.history(deviceId)).map((data) => data.level as number);
}

async function replaysRefused({ islet }: RestartingIslet): Promise<number> {
  const text = await (await fetch(`http://${islet.ready.http}/metrics`)).text();
  return Number(/^islet_dtls_drops_total\{reason="replayed"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

/**
 * Load, SIGKILL at a random moment, start, look. What a device has the acknowledgement of is in the history; once, unless
 * it had to be sent to two processes. Sessions go on, their record numbers never come twice, and what somebody has
 * recorded is worth nothing.
 */
test(`reports and sessions go on through kill -9 (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  using folder = temporaryFolder();
  await using islet = await restartingIslet({ data: folder.path, settings: { "dtls.flush_ms": "50" } });
  const it = await setUpNbIot(islet.islet);
  let api: Api = it;
  await using devices = new AsyncDisposableStack();
  const reporters: Reporter[] = [];
  const add = (name: string, deviceId: string, report: Reporter["report"]) =>
    reporters.push({ name, deviceId, report, sent: 0, acknowledged: new Map() });
  for (const style of ["lwm2m", "tup"] as const) {
    const { deviceId } = await it.register(it.productId, style);
    const device = devices.use(await plainDevice(islet.islet, { ep: style, style }));
    await device.register();
    add(style, deviceId, async (value) => expect((await device.deliver(level(value))).type).toBe("ack"));
  }
  const secures: SecureDevice[] = [];
  for (const { name, suite, connectionId } of SECURE) {
    const registered = await it.register(it.productId, name, { isSecure: true });
    const device = devices.use(
      secureDevice(islet.islet.ready.coaps, { device: registered, random, suite, connectionId }),
    );
    expect(await device.register()).toBe(true);
    secures.push(device);
    add(name, registered.deviceId, async (value) => expect(await device.report(level(value))).toBe("accepted"));
  }

  async function restart(): Promise<void> {
    await islet.start();
    api = await login(islet.islet, it.appId, it.secret);
  }

  for (let round = 0; round < ROUNDS; round++) {
    let isOver = false;
    const loads = reporters.map((reporter) => load(reporter, islet, () => isOver));
    await Bun.sleep(50 + random() * 300); // the random moment is the point of this test
    isOver = true;
    await islet.kill();
    await restart();
    if (round % 2 === 1) {
      await islet.kill(); // at once, with reports on their way again
      await restart();
    }
    await Promise.all(loads);
  }

  let twice = 0;
  for (const reporter of reporters) {
    const stored = await levels(api, reporter);
    const timesOf = Map.groupBy(stored, (value) => value);
    for (const [value, { from, until }] of reporter.acknowledged) {
      const times = timesOf.get(value)?.length ?? 0;
      const where = `report ${value} of ${reporter.name}, runs ${from} to ${until}`;
      expect(times, where).toBeGreaterThan(0);
      expect(times, where).toBeLessThanOrEqual(until - from + 1);
      twice += times - 1;
    }
    expect(stored.filter((value) => value < 1 || value > reporter.sent)).toEqual([]);
    expect(reporter.acknowledged.size).toBeGreaterThan(ROUNDS);
  }
  for (const device of secures) {
    expect(device.handshakes).toEqual(["full"]);
    expectNewNumbers(device);
  }
  const sum = reporters.reduce((total, { acknowledged }) => total + acknowledged.size, 0);
  console.log(`${sum} reports acknowledged, ${twice} of them stored again, ${islet.runs} runs`);
}, 90_000);

/** No two records of a session have the same number; a session has one epoch. */
function expectNewNumbers(device: SecureDevice): void {
  const numbers = device.numbers();
  expect(numbers.length).toBeGreaterThan(5);
  expect(numbers.filter((number, at) => numbers.indexOf(number) !== at)).toEqual([]);
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
}

/**
 * Somebody has recorded what devices have sent, and plays it to the next process: nothing is stored, acknowledged or
 * answered. Again after a second kill that comes before anything else was said.
 */
test("records that were acknowledged are worth nothing after a kill", async () => {
  using folder = temporaryFolder();
  await using islet = await restartingIslet({ data: folder.path, settings: {} });
  const it = await setUpNbIot(islet.islet);
  await using opened = new AsyncDisposableStack();
  const victims = await Promise.all(
    SECURE.map(async ({ name, ...how }) => {
      const registered = await it.register(it.productId, name, { isSecure: true });
      const device = opened.use(
        secureDevice(islet.islet.ready.coaps, { device: registered, random: seededRandom(SEED), ...how }),
      );
      expect(await device.register()).toBe(true);
      return { name, device, deviceId: registered.deviceId, recorded: [] as Uint8Array[], values: [] as number[] };
    }),
  );
  /** Each of them reports; all that leaves it for that is recorded. Resolves when it is acknowledged. */
  const reportAll = (value: number) =>
    Promise.all(
      victims.map(async ({ device, recorded, values }) => {
        const from = device.sent.length;
        expect(await device.report(level(value))).toBe("accepted");
        recorded.push(...device.sent.slice(from));
        values.unshift(value);
      }),
    );
  const replayAll = () => {
    for (const { device, recorded } of victims) for (const bytes of recorded) device.replay(bytes);
  };
  const heard = () => victims.map(({ device }) => device.received.length);
  const recordedCount = () => victims.reduce((sum, { recorded }) => sum + recorded.length, 0);

  for (let value = 1; value <= 3; value++) await reportAll(value);
  for (let round = 1; round <= 2; round++) {
    await islet.kill();
    await islet.start();
    const before = heard();
    replayAll();
    const replayed = recordedCount();
    await eventually(
      () => replaysRefused(islet),
      (refused) => refused === replayed,
    );
    expect(heard()).toEqual(before);
    if (round === 1) {
      await islet.kill(); // nothing was said since the first one
      await islet.start();
      replayAll();
      await eventually(
        () => replaysRefused(islet),
        (refused) => refused === replayed,
      );
      expect(heard()).toEqual(before);
    }
    await reportAll(3 + round); // the devices themselves go on
    expect(heard()).toEqual(before.map((count) => count + 1));
  }
  const api = await login(islet.islet, it.appId, it.secret);
  for (const { name, device, deviceId, values } of victims) {
    expect([name, (await api.history(deviceId)).map((data) => data.level)]).toEqual([name, values]);
    expect([name, device.handshakes]).toEqual([name, ["full"]]);
    expectNewNumbers(device);
  }
}, 60_000);

/** Cookie, ServerHello, Finished, the answer to the registration, the observation of the reports. */
const DATAGRAMS = [1, 2, 3, 4, 5];
test("a device gets in, and reports, whatever datagram of its handshake and its registration the platform dies at", async () => {
  using folder = temporaryFolder();
  await using islet = await restartingIslet({ data: folder.path, settings: {} });
  const it = await setUpNbIot(islet.islet);
  let api: Api = it;
  for (const fatal of DATAGRAMS) {
    const registered = await api.register(it.productId, `dies-at-${fatal}`, { isSecure: true });
    const killed = Promise.withResolvers<void>();
    await using device = secureDevice(islet.islet.ready.coaps, {
      ...{ device: registered, random: seededRandom(SEED + fatal), firstTimeoutMs: 100, observeWaitMs: 2_000 },
      heard: (count) => count === fatal && void islet.kill().then(killed.resolve),
    });
    let registering = device.register();
    await killed.promise;
    await islet.start();
    api = await login(islet.islet, it.appId, it.secret);
    while (!(await registering)) registering = device.register();
    expect(await device.report(level(fatal))).toBe("accepted");
    expect([fatal, await api.history(registered.deviceId)]).toEqual([fatal, [{ level: fatal }]]);
    // Two at most: a session that the device did not hear of is given up, and its keys with it.
    expect(device.handshakes.filter((outcome) => outcome !== "failed").length).toBeLessThanOrEqual(2);
  }
}, 60_000);

import { expect, setDefaultTimeout, test } from "bun:test";
import { systemClock } from "../../src/platform/clock";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { compileAnswer } from "../../src/simulator/hex-template";
import { type Lwm2mDevice, type Lwm2mDeviceSettings, startLwm2mDevice } from "../../src/simulator/lwm2m-device";
import { SECURE_SETTINGS } from "../../src/simulator/secure-channel";
import { udpNetwork } from "../../src/simulator/udp-network";
import { DEFAULT_TRANSMISSION } from "../../src/wire/coap";
import { CIPHER_SUITES, PSK_AES_128_CBC_SHA256 } from "../../src/wire/dtls";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";
import { level, readAlarm, setUpNbIot } from "../support/nb-iot";
import { type Conditions, startUdpProxy } from "../support/udp-proxy";

setDefaultTimeout(120_000);

const SEED = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const CONDITIONS: Conditions = { loss: 0.2, duplicate: 0.1, reorder: 0.1, delayMs: 8 };
const REPORTS = 12;
const COMMANDS = 4;
/** Entries of the NAT that devices without a DTLS session, and those with a connection id, can live with. */
const NAT_MS = 1_500;
const MOST_MS = 60_000;

/** Everything that takes minutes or hours in the field takes seconds here. */
const SETTINGS = {
  "coap.ack_timeout_ms": "100",
  "dtls.flight_timeout_ms": "100",
  "lwm2m.awake_ms": "400",
  "commands.retransmit_ms": "100",
  "commands.ack_timeout_ms": "4000",
  "commands.answer_timeout_ms": "6000",
  "commands.sweep_interval_ms": "200",
};
const DEVICE: Lwm2mDeviceSettings = {
  style: "lwm2m",
  queueMode: false,
  awakeMs: 500,
  lifetimeSeconds: 86_400,
  confirmable: true,
  observeWaitMs: 1_500,
  rebootMs: 100,
  logBytes: 100,
  transmission: { ...DEFAULT_TRANSMISSION, ackTimeoutMs: 100 },
  secure: undefined,
  answers: [compileAnswer("03=04{1:2}00{3}")],
};
const SECURE = { ...SECURE_SETTINGS, suites: CIPHER_SUITES, firstTimeoutMs: 100 };
const KINDS: { name: string; settings: Partial<Lwm2mDeviceSettings> }[] = [
  { name: "plain", settings: {} },
  { name: "tup", settings: { style: "tup" } },
  { name: "sleepy", settings: { queueMode: true } },
  { name: "tup-sleepy", settings: { style: "tup", queueMode: true } },
  { name: "short-lived", settings: { lifetimeSeconds: 2 } },
  { name: "non", settings: { confirmable: false } },
  { name: "tup-non", settings: { style: "tup", confirmable: false } },
  { name: "secure", settings: { secure: SECURE } },
  { name: "secure-tup", settings: { style: "tup", secure: SECURE } },
  { name: "secure-sleepy", settings: { queueMode: true, secure: SECURE } },
  { name: "secure-cid", settings: { queueMode: true, secure: { ...SECURE, connectionId: true } } },
  {
    name: "secure-old",
    settings: { style: "tup", secure: { ...SECURE, suites: [PSK_AES_128_CBC_SHA256], oldHello: true } },
  },
];

test(`behind a bad network nothing acknowledged is lost, nothing comes twice, nothing gets stuck (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: SETTINGS });
  const it = await setUpNbIot(islet);
  await using plain = await startUdpProxy(islet.ready.coap, random, { ...CONDITIONS });
  await using cid = await startUdpProxy(islet.ready.coaps, random, { ...CONDITIONS });
  await using secure = await startUdpProxy(islet.ready.coaps, random, { ...CONDITIONS });

  async function start(kind: (typeof KINDS)[number], index: number) {
    const settings = { ...DEVICE, ...kind.settings };
    const isSecure = settings.secure !== undefined;
    const way = settings.secure?.connectionId ? cid : isSecure ? secure : plain;
    const nodeId = `bad-${kind.name}-${index}`;
    const { deviceId, psk } = await it.register(it.productId, nodeId, { isSecure });
    const seen = { events: [] as string[], executed: new Map<string, number>(), answersLost: 0 };
    const device: Lwm2mDevice = startLwm2mDevice({
      ...{ nodeId, settings, random, clock: systemClock, psk: Uint8Array.fromHex(psk) },
      network: udpNetwork({ host: "127.0.0.1", port: way.port }),
      on: {
        registered: () => seen.events.push("registered"),
        registrationFailed: (reason) => seen.events.push(`not registered: ${reason}`),
        updated: () => seen.events.push("updated"),
        handshake: (outcome) => seen.events.push(`handshake ${outcome}`),
        command: (payload) => {
          const id = `${readAlarm(payload).value}`;
          seen.executed.set(id, (seen.executed.get(id) ?? 0) + 1);
        },
        answered: (accepted) => void (accepted || seen.answersLost++),
        duplicate() {},
        rebooted() {},
        slept() {},
        moved() {},
      },
    });
    return { ...{ kind, deviceId, device, seen, settings }, outcomes: new Map<number, string>() };
  }
  type Started = Awaited<ReturnType<typeof start>>;

  const statuses = async ({ deviceId }: Started) => (await it.commands(deviceId)).map(({ status }) => status);
  const isFinal = (status: string) => status !== "PENDING" && status !== "SENT";

  /** Reports on and on, as devices do, until all its commands have ended. */
  async function live(one: Started): Promise<void> {
    const deadline = Date.now() + MOST_MS;
    for (let value = 1; ; value++) {
      if (value <= COMMANDS) expect((await it.command(one.deviceId, value)).status).toBe(201);
      one.outcomes.set(value, await one.device.report(level(value)));
      if (value >= REPORTS && (await statuses(one)).every(isFinal)) return;
      if (Date.now() > deadline) throw new Error(`${one.kind.name} is stuck: ${await describe(one)}`);
      await Bun.sleep(random() * 200);
    }
  }
  const describe = async (one: Started) =>
    JSON.stringify([await statuses(one), one.seen.events.slice(-20), [...one.outcomes.values()].slice(-20)]);

  const all = await Promise.all(KINDS.map(start));
  const aging = setInterval(() => {
    plain.rebind();
    cid.rebind();
  }, NAT_MS);
  try {
    await Promise.all(all.map(live));

    const totals = { accepted: 0, lost: 0, SUCCESSFUL: 0, TIMEOUT: 0, DELIVERED: 0 } as Record<string, number>;
    for (const one of all) {
      const { name } = one.kind;
      const levels = await eventually(
        async () => (await it.history(one.deviceId)).map(({ level }) => Number(level)),
        (rows) =>
          !one.settings.confirmable || rows.length >= [...one.outcomes.values()].filter((o) => o === "accepted").length,
      );
      const acknowledged = [...one.outcomes].filter(([, outcome]) => outcome === "accepted").map(([value]) => value);
      expect([name, levels.length, new Set(levels).size]).toEqual([name, levels.length, levels.length]);
      if (one.settings.confirmable)
        expect([name, acknowledged.filter((value) => !levels.includes(value))]).toEqual([name, []]);
      expect([name, levels.every((value) => one.outcomes.has(value))]).toEqual([name, true]);

      const commands = await it.commands(one.deviceId);
      for (const { status, command } of commands) {
        const times = one.seen.executed.get(`${command.paras.value}`) ?? 0;
        const told = `${name} ${status} executed ${times}`;
        expect(told).toMatch(/ (SUCCESSFUL executed 1|DELIVERED executed 1|TIMEOUT executed [01])$/);
        totals[status] = (totals[status] ?? 0) + 1;
      }
      // Delivered for good is only a command whose answer the device itself gave up.
      const unanswered = commands.filter(({ status }) => status === "DELIVERED").length;
      if (one.settings.confirmable) expect(unanswered).toBeLessThanOrEqual(one.seen.answersLost);
      totals.accepted = (totals.accepted ?? 0) + acknowledged.length;
      totals.lost = (totals.lost ?? 0) + one.outcomes.size - acknowledged.length;
    }
    console.log(`SEED=${SEED}`, JSON.stringify(totals), JSON.stringify([plain.counts, secure.counts, cid.counts]));
    expect(totals.SUCCESSFUL).toBeGreaterThan((KINDS.length * COMMANDS) / 2);
    expect(plain.counts.lost + secure.counts.lost).toBeGreaterThan(50);
    expect(islet.errors).not.toMatch(/"level":"error"/);
  } finally {
    clearInterval(aging);
    await Promise.all(all.map(({ device }) => device.stop("quietly")));
  }
  expect(await islet.stop()).toBe(0);
});

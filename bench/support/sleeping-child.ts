/** Many secure devices that sleep. Registers them, says so; each `report` on standard input makes every one report once. */
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/platform/clock";
import {
  compileReport,
  type Lwm2mDevice,
  type NbCredentials,
  SECURE_SETTINGS,
  startLwm2mDevice,
  udpNetwork,
} from "../../src/simulator";
import { DEFAULT_TRANSMISSION } from "../../src/wire/coap";
import { PSK_AES_128_CCM_8 } from "../../src/wire/dtls";
import { lines } from "./load";

export type Sleeping = {
  readonly server: { readonly host: string; readonly port: number };
  readonly devices: readonly NbCredentials[];
  readonly payload: string;
  /** Devices that are at work at a time. */
  readonly atATime: number;
};
export type SleepingResult = {
  readonly succeeded: number;
  readonly seconds: number;
  /** Full and resumed, in this round. */
  readonly handshakes: number;
  readonly registrations: number;
  /** Devices that had to take another port than they had before they slept. */
  readonly moved: number;
  readonly reasons: readonly string[];
};

const AWAKE_MS = 1_000;
const { server, devices, payload, atATime } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as Sleeping;
const network = udpNetwork(server);
const report = compileReport(payload);
let handshakes = 0;
let registrations = 0;
let moved = 0;
let round = 0;
const reasons = new Set<string>();

/** Each has an address of its own, so that 50,000 have their port for ever. */
const fleet = devices.map(({ nodeId, psk }, index) =>
  startLwm2mDevice({
    nodeId,
    psk: psk === undefined ? undefined : Uint8Array.fromHex(psk),
    local: { host: `127.${64 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`, port: 0 },
    network,
    clock: systemClock,
    random: Math.random,
    settings: {
      style: "lwm2m",
      queueMode: true,
      awakeMs: AWAKE_MS,
      lifetimeSeconds: 86_400,
      confirmable: true,
      observeWaitMs: 10_000,
      rebootMs: 5_000,
      logBytes: 100,
      transmission: DEFAULT_TRANSMISSION,
      secure: psk === undefined ? undefined : { ...SECURE_SETTINGS, suites: [PSK_AES_128_CCM_8] },
      answers: [],
    },
    on: {
      registered: () => registrations++,
      registrationFailed: (reason) => reasons.add(reason),
      updated() {},
      handshake: () => handshakes++,
      command() {},
      answered() {},
      duplicate() {},
      rebooted() {},
      slept() {},
      moved: () => moved++,
    },
  }),
);

say(await all((device) => device.register()));
for await (const line of lines(Bun.stdin.stream())) {
  if (line !== "report") continue;
  const bytes = report(++round, Math.random);
  say(await all(async (device) => (await device.report(bytes)) === "accepted"));
}
process.exit(0);

async function all(run: (device: Lwm2mDevice) => Promise<boolean>): Promise<SleepingResult> {
  const before = { handshakes, registrations, moved };
  reasons.clear();
  const start = performance.now();
  let next = 0;
  let succeeded = 0;
  const lane = async (): Promise<void> => {
    for (let device = fleet[next++]; device; device = fleet[next++]) if (await run(device)) succeeded++;
  };
  await Promise.all(Array.from({ length: atATime }, lane));
  return {
    succeeded,
    seconds: (performance.now() - start) / 1_000,
    handshakes: handshakes - before.handshakes,
    registrations: registrations - before.registrations,
    moved: moved - before.moved,
    reasons: [...reasons],
  };
}

function say(result: SleepingResult): void {
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

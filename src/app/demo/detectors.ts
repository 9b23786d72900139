import { parseListenAddress } from "../../platform/listen-address";
import { compileAnswer, type Lwm2mDevice, SECURE_SETTINGS, startLwm2mDevice, udpNetwork } from "../../simulator";
import { DEFAULT_TRANSMISSION } from "../../wire/coap";
import { CIPHER_SUITES } from "../../wire/dtls";
import { DETECTOR, DETECTOR_ANSWER, DETECTOR_CODEC, detectorReport } from "./sample-products";
import type { Cast, Stage } from "./stage";

/** The server of the demo takes a device for asleep after this silence; the detectors listen a little longer. */
export const AWAKE_MS = 1_500;
const LISTENS_MS = AWAKE_MS + 1_000;
const KINDS = [
  { label: "Detector 1", isSecure: false },
  { label: "Detector 2", isSecure: true },
] as const;

type Detector = {
  readonly label: string;
  readonly deviceId: string;
  readonly device: Lwm2mDevice;
};

/** Smoke detectors that sleep (LwM2M over CoAP, one of them in DTLS): what is sent to them waits for their next report. */
export async function startDetectors(stage: Stage): Promise<Cast & { allAsleep(signal: AbortSignal): Promise<void> }> {
  const { manage, call, clock, print } = stage;
  const states = new Map<string, string[]>();
  const { productId } = await manage<{ productId: string }>("POST", `/apps/${stage.appId}/products`, DETECTOR);
  await manage("PUT", `/products/${productId}/codec`, DETECTOR_CODEC);
  const detectors: Detector[] = [];
  for (const kind of KINDS) detectors.push(await startDetector(stage, productId, kind));
  let turn = 0;

  /** 1.9.1; a detector that sleeps gets it with its next report. */
  async function command({ label, deviceId }: Detector): Promise<void> {
    const value = Math.floor((clock.now() / 1_000) % 100);
    const { commandId } = await call<{ commandId: string }>("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", {
      deviceId,
      callbackUrl: stage.callbackUrl,
      command: { serviceId: "Smoke", method: "SET_ALARM", paras: { value } },
    });
    const { data } = await call<{ data: { commandId: string; status: string }[] }>(
      "GET",
      `/iocm/app/cmd/v1.4.0/deviceCommands?deviceId=${deviceId}`,
    );
    const status = data.find((it) => it.commandId === commandId)?.status ?? "";
    states.set(commandId, [status]);
    print(`command ► SET_ALARM ${value} to ${label}: ${status}`);
  }

  return {
    productId,
    deviceIds: detectors.map(({ deviceId }) => deviceId),
    async report() {
      for (const [index, { label, device }] of detectors.entries()) {
        const level = Math.round(200 + 100 * Math.sin(clock.now() / 60_000 + index));
        const payload = detectorReport(level);
        const outcome = await device.report(payload);
        if (outcome !== "accepted") throw new Error(`report of ${label}: ${outcome}`);
        print(`report  ► ${label} ${payload.toHex()} (level ${level}) is stored`);
      }
    },
    command: () => command(detectors[turn++ % detectors.length] as Detector),
    onPush({ notifyType, commandId, result }) {
      if (notifyType !== undefined) return;
      states.get(String(commandId))?.push((result as { resultCode: string }).resultCode);
    },
    missing() {
      const complete = [...states.values()].filter((seen) => seen.join() === "PENDING,SENT,DELIVERED,SUCCESSFUL");
      return complete.length >= detectors.length
        ? []
        : [`commands of detectors: ${JSON.stringify([...states.values()])}`];
    },
    async allAsleep(signal) {
      while (!signal.aborted && detectors.some(({ device }) => device.isAwake)) await clock.sleep(20, signal);
    },
    stop: async () => void (await Promise.all(detectors.map(({ device }) => device.stop("quietly")))),
  };
}

/** Registered by verification code (1.5.1), and switched on. */
async function startDetector(
  { addresses, call, clock, print, name, label: toLabel }: Stage,
  productId: string,
  { label, isSecure }: (typeof KINDS)[number],
): Promise<Detector> {
  const nodeId = `${name}-${label.toLowerCase().replace(" ", "-")}`;
  const { deviceId, psk } = await call<{ deviceId: string; psk: string }>(
    "POST",
    "/iocm/app/reg/v1.1.0/deviceCredentials",
    { nodeId, verifyCode: nodeId, deviceName: label, productId, isSecure, timeout: 0 },
  );
  toLabel(deviceId, label);
  const { hostname: host, port } = parseListenAddress(isSecure ? addresses.coaps : addresses.coap);
  const device = startLwm2mDevice({
    nodeId,
    ...(isSecure && { psk: Uint8Array.fromHex(psk) }),
    network: udpNetwork({ host, port }),
    clock,
    random: Math.random,
    settings: {
      ...{ style: "lwm2m", queueMode: true, awakeMs: LISTENS_MS, lifetimeSeconds: 86_400, confirmable: true },
      ...{ observeWaitMs: 10_000, rebootMs: 5_000, logBytes: 1_000, transmission: DEFAULT_TRANSMISSION },
      secure: isSecure ? { ...SECURE_SETTINGS, suites: CIPHER_SUITES } : undefined,
      answers: [compileAnswer(DETECTOR_ANSWER)],
    },
    on: {
      registered: () => print(`device    ${label} is registered${isSecure ? " through DTLS" : ""}`),
      registrationFailed: (reason) => print(`device    ${label} is not registered: ${reason}`),
      command: (payload) => print(`command ► ${label} does ${payload.toHex()}`),
      slept: () => print(`device    ${label} sleeps`),
      updated() {},
      handshake() {},
      answered() {},
      duplicate() {},
      rebooted() {},
      moved() {},
    },
  });
  return { label, deviceId, device };
}

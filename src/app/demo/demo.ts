import type { Clock } from "../../platform/clock";
import { startDetectors } from "./detectors";
import { startLamps } from "./lamps";
import { managementClient, vendorClient } from "./management-client";
import { describePush, type Push, startReceiver } from "./receiver";
import type { Stage } from "./stage";

type Options = {
  /** Of a running server. */
  readonly addresses: Stage["addresses"] & { readonly http: string };
  readonly adminPassword: string;
  readonly clock: Clock;
  readonly print: (line: string) => void;
  readonly stopped: AbortSignal;
  /** One round, then the end. */
  readonly once: boolean;
};

const STEP_MS = 3_000;
/** One each: the lamps every step; detectors report at the first step of a round and are commanded at its third. */
const STEPS_PER_ROUND = 4;
const ROUND_LIMIT_MS = 20_000;
const SUBSCRIBED = ["deviceDataChanged", "deviceInfoChanged", "bindDevice", "messageConfirm", "commandRsp"] as const;

/**
 * The main path, from outside: an application, products, lamps that are always connected and detectors that sleep, a
 * receiver of pushes. Everything goes over the same HTTP, MQTT, CoAP and DTLS that anybody else would use. Resolves with
 * whether all that should have happened has: reports stored and pushed, commands sent, or kept for a sleeping device,
 * answered and pushed back.
 */
export async function runDemo({ addresses, adminPassword, clock, print, stopped, once }: Options): Promise<boolean> {
  await using opened = new AsyncDisposableStack();
  const labels = new Map<string, string>();
  const pushed = new Set<string>();
  const onPush: ((push: Push) => void)[] = [];
  const receiver = startReceiver((push) => {
    if (push.notifyType === "deviceDataChanged") pushed.add(String(push.deviceId));
    for (const tell of onPush) tell(push);
    print(`push    ◄ ${describePush(push, (deviceId) => labels.get(deviceId) ?? deviceId)}`);
  });
  opened.defer(() => receiver.stop());

  const { http } = addresses;
  const manage = await managementClient(http, "admin", adminPassword);
  const name = `demo-${clock.now().toString(36)}`;
  const { appId, secret } = await manage<{ appId: string; secret: string }>("POST", "/apps", { name });
  const { call, accessToken } = await vendorClient(http, appId, secret);
  for (const notifyType of SUBSCRIBED)
    await call("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType, callbackUrl: receiver.url });

  const stage: Stage = {
    ...{ addresses, appId, manage, call, name, clock, print, callbackUrl: receiver.url },
    label: (deviceId, label) => void labels.set(deviceId, label),
  };
  const lamps = await startLamps(stage);
  opened.defer(lamps.stop);
  const detectors = await startDetectors(stage);
  opened.defer(detectors.stop);
  onPush.push(lamps.onPush, detectors.onPush);
  const deviceIds = [...lamps.deviceIds, ...detectors.deviceIds];
  for (const line of introduction({ addresses, appId, secret, accessToken, adminPassword, deviceIds })) print(line);

  if (once) return await runOnce(); // awaited: what was opened is closed when this function returns
  for (let step = 0; !stopped.aborted; step++) {
    await tell(lamps.report());
    if (step % STEPS_PER_ROUND === 0) {
      await tell(lamps.command());
      await tell(detectors.report());
    }
    if (step % STEPS_PER_ROUND === 2) await tell(detectors.command());
    await clock.sleep(STEP_MS, stopped);
  }
  return true;

  function tell(deed: Promise<void>): Promise<void> {
    return deed.catch((error: Error) => print(`failed    ${error.message}`));
  }

  async function runOnce(): Promise<boolean> {
    await lamps.report();
    await lamps.command();
    await detectors.report();
    await detectors.allAsleep(stopped);
    for (const _ of detectors.deviceIds) await detectors.command();
    await detectors.report();
    const limit = clock.monotonic() + ROUND_LIMIT_MS;
    while (clock.monotonic() < limit && !stopped.aborted) {
      if ((await missing()).length === 0) {
        print("check     reports stored and pushed, commands answered, also by devices that slept: all is well");
        return true;
      }
      await clock.sleep(50, stopped);
    }
    for (const what of await missing()) print(`check     missing: ${what}`);
    return false;
  }

  async function missing(): Promise<string[]> {
    const unstored = await Promise.all(
      deviceIds.map(async (deviceId) => ((await reportsOf(deviceId)) > 0 ? [] : deviceId)),
    );
    return [
      ...unstored.flat().map((deviceId) => `reports of ${labels.get(deviceId)} in the history`),
      ...deviceIds.filter((it) => !pushed.has(it)).map((deviceId) => `pushed report of ${labels.get(deviceId)}`),
      ...lamps.missing(),
      ...detectors.missing(),
    ];
  }

  async function reportsOf(deviceId: string): Promise<number> {
    const path = `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=1`;
    return (await call<{ totalCount: number }>("GET", path)).totalCount;
  }
}

type Introduction = {
  addresses: Options["addresses"];
  appId: string;
  secret: string;
  accessToken: string;
  adminPassword: string;
  deviceIds: readonly string[];
};
function introduction({ addresses, appId, secret, accessToken, adminPassword, deviceIds }: Introduction) {
  const auth = `-H 'app_key: ${appId}' -H 'Authorization: Bearer ${accessToken}'`;
  const json = `${auth} -H 'Content-Type: application/json'`;
  const base = `http://${addresses.http}`;
  const lamp = deviceIds[0] ?? "";
  const detector = deviceIds.at(-1) ?? "";
  return [
    "",
    `REST         ${base}   (description: ${base}/docs)`,
    `MQTT         ${addresses.mqtt}`,
    `CoAP         ${addresses.coap}   (DTLS: ${addresses.coaps})`,
    `Operator     admin / ${adminPassword}`,
    `Application  ${appId} / ${secret}`,
    "",
    "Four things to try in another terminal; the last one waits until its detector reports:",
    `curl ${auth} '${base}/iocm/app/dm/v1.4.0/devices?pageNo=0'`,
    `curl ${auth} '${base}/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${lamp}&gatewayId=${lamp}&pageSize=5'`,
    `curl ${json} -d '{"header":{"mode":"ACK","method":"SET_BRIGHTNESS"},"body":{"brightness":80}}' '${base}/iocm/app/signaltrans/v1.1.0/devices/${lamp}/services/Lamp/sendCommand'`,
    `curl ${json} -d '{"deviceId":"${detector}","command":{"serviceId":"Smoke","method":"SET_ALARM","paras":{"value":1}}}' '${base}/iocm/app/cmd/v1.4.0/deviceCommands'`,
    "",
  ];
}

import type { Clock } from "../../platform/clock";
import { parseListenAddress } from "../../platform/listen-address";
import { type MqttDevice, startMqttDevice } from "../../simulator";
import { managementClient, vendorClient } from "./management-client";
import { SAMPLE_PRODUCT } from "./sample-product";

type Options = {
  /** Addresses of a running server. */
  readonly http: string;
  readonly mqtt: string;
  readonly adminPassword: string;
  readonly clock: Clock;
  readonly print: (line: string) => void;
  readonly stopped: AbortSignal;
  /** One round, then the end. */
  readonly once: boolean;
};

const LAMPS = 3;
const REPORT_EVERY_MS = 3_000;
const COMMAND_EVERY_MS = 10_000;
const ROUND_LIMIT_MS = 20_000;
const SUBSCRIBED = ["deviceDataChanged", "deviceInfoChanged", "messageConfirm", "commandRsp"] as const;

/**
 * The main path, from outside: an application, a product, lamps that report and obey, a receiver of pushes. Everything
 * goes over the same HTTP and MQTT that anybody else would use. Resolves with whether all that should have happened
 * has: reports stored and pushed, a command sent, answered and pushed back.
 */
export async function runDemo({ http, mqtt, adminPassword, clock, print, stopped, once }: Options): Promise<boolean> {
  await using opened = new AsyncDisposableStack();
  const labels = new Map<string, string>();
  const seen = { pushed: new Set<string>(), answered: false, confirmed: false };
  const receiver = startReceiver((body) => {
    const told = describePush(body, (deviceId) => labels.get(deviceId) ?? deviceId);
    if (body.notifyType === "deviceDataChanged") seen.pushed.add(String(body.deviceId));
    if (body.notifyType === "commandRsp") seen.answered = true;
    if (body.notifyType === "messageConfirm") seen.confirmed = true;
    print(`push    ◄ ${told}`);
  });
  opened.defer(() => receiver.stop());

  const manage = await managementClient(http, "admin", adminPassword);
  // A name of its own, so that the demo can be run again on the same data folder.
  const name = `demo-${clock.now().toString(36)}`;
  const { appId, secret } = await manage<{ appId: string; secret: string }>("POST", "/apps", { name });
  const { productId } = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, SAMPLE_PRODUCT);
  const { call, accessToken } = await vendorClient(http, appId, secret);
  for (const notifyType of SUBSCRIBED)
    await call("POST", "/iocm/app/sub/v1.2.0/subscriptions", { notifyType, callbackUrl: receiver.url });

  const lamps: { deviceId: string; device: MqttDevice }[] = [];
  opened.defer(async () => void (await Promise.all(lamps.map(({ device }) => device.stop()))));
  const address = parseListenAddress(mqtt);
  for (let number = 1; number <= LAMPS; number++) {
    const registered = await call<{ deviceId: string; secret: string }>(
      "POST",
      "/iocm/app/reg/v2.0.0/deviceCredentials",
      { deviceInfo: { nodeId: `${name}-lamp-${number}`, name: `Lamp ${number}` }, productId, mqttConnect: true },
    );
    const label = `Lamp ${number}`;
    labels.set(registered.deviceId, label);
    const device = await startMqttDevice({
      address: { host: address.hostname, port: address.port },
      credentials: registered,
      clock,
      onCommand({ cmd, paras }) {
        print(`command ► ${label} does ${cmd} ${JSON.stringify(paras)}`);
        return { errcode: 0, body: paras };
      },
      onState: (state, detail) => print(`device    ${label} ${state}${detail === "" ? "" : `: ${detail}`}`),
    });
    lamps.push({ deviceId: registered.deviceId, device });
  }
  for (const line of introduction({ http, mqtt, appId, secret, productId, accessToken, adminPassword, lamps }))
    print(line);

  const report = async () => {
    for (const [index, { device }] of lamps.entries()) {
      const data = sample(clock.now(), index);
      await device.report("Lamp", data);
      print(`report  ► Lamp ${index + 1} ${JSON.stringify(data)} is stored`);
    }
  };
  const command = async () => {
    const { deviceId } = lamps[0] as { deviceId: string };
    const brightness = Math.floor((clock.now() / 1_000) % 100);
    const path = `/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Lamp/sendCommand`;
    const header = { mode: "ACK", from: "/users/demo", method: "SET_BRIGHTNESS" };
    const answer = await call<{ status: string }>("POST", path, { header, body: { brightness } });
    print(`command ► SET_BRIGHTNESS ${brightness} to Lamp 1: ${answer.status}`);
  };
  const stored = async () => {
    const counts = await Promise.all(
      lamps.map(({ deviceId }) =>
        call<{ totalCount: number }>(
          "GET",
          `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=1`,
        ),
      ),
    );
    return counts.every(({ totalCount }) => totalCount > 0);
  };
  const isComplete = async () => seen.pushed.size === LAMPS && seen.answered && seen.confirmed && (await stored());

  if (once) return await runOnce(); // awaited: what was opened is closed when this function returns
  for (let elapsed = 0; !stopped.aborted; elapsed += REPORT_EVERY_MS) {
    await report().catch((error: Error) => print(`report    failed: ${error.message}`));
    if (elapsed % COMMAND_EVERY_MS < REPORT_EVERY_MS)
      await command().catch((error: Error) => print(`command   failed: ${error.message}`));
    await clock.sleep(REPORT_EVERY_MS, stopped);
  }
  return true;

  async function runOnce(): Promise<boolean> {
    await report();
    await command();
    const limit = clock.monotonic() + ROUND_LIMIT_MS;
    while (clock.monotonic() < limit && !stopped.aborted) {
      if (await isComplete()) {
        print("check     reports stored and pushed, command answered and confirmed: all is well");
        return true;
      }
      await clock.sleep(50, stopped);
    }
    print(`check     not everything happened: ${JSON.stringify({ ...seen, pushed: [...seen.pushed] })}`);
    return false;
  }
}

/** A lamp that burns brighter at night, so that the values move. */
function sample(now: number, index: number) {
  const phase = now / 60_000 + index;
  const brightness = Math.round(50 + 50 * Math.sin(phase));
  return {
    brightness,
    power: Math.round(brightness * 12) / 10,
    temperature: Math.round(200 + 30 * Math.cos(phase)) / 10,
  };
}

function startReceiver(onPush: (body: Record<string, unknown>) => void) {
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      onPush((await request.json()) as Record<string, unknown>);
      return new Response(null, { status: 200 });
    },
  });
  return { url: `http://127.0.0.1:${server.port}/pushes`, stop: () => server.stop(true) };
}

function describePush(push: Record<string, unknown>, labelOf: (deviceId: string) => string): string {
  const { notifyType, service, deviceInfo, body } = push as Record<string, Record<string, unknown>>;
  const header = push.header as { deviceId?: string; from: string; status?: string } | undefined;
  const deviceId = push.deviceId ?? header?.deviceId ?? header?.from.split("/")[2] ?? "";
  const about = service?.data ?? (header ? (header.status ?? body) : deviceInfo?.status);
  return `${notifyType} of ${labelOf(String(deviceId))}: ${JSON.stringify(about)}`;
}

type Introduction = {
  http: string;
  mqtt: string;
  appId: string;
  secret: string;
  productId: string;
  accessToken: string;
  adminPassword: string;
  lamps: readonly { deviceId: string }[];
};
function introduction({ http, mqtt, appId, secret, productId, accessToken, adminPassword, lamps }: Introduction) {
  const auth = `-H 'app_key: ${appId}' -H 'Authorization: Bearer ${accessToken}'`;
  const base = `http://${http}`;
  const deviceId = lamps[0]?.deviceId ?? "";
  return [
    "",
    `REST         ${base}   (description: ${base}/docs)`,
    `MQTT         ${mqtt}`,
    `Operator     admin / ${adminPassword}`,
    `Application  ${appId} / ${secret}`,
    `Product      ${productId}`,
    "",
    "Three things to try in another terminal:",
    `curl ${auth} '${base}/iocm/app/dm/v1.4.0/devices?pageNo=0'`,
    `curl ${auth} '${base}/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=5'`,
    `curl ${auth} -H 'Content-Type: application/json' -d '{"header":{"mode":"ACK","method":"SET_BRIGHTNESS"},"body":{"brightness":80}}' '${base}/iocm/app/signaltrans/v1.1.0/devices/${deviceId}/services/Lamp/sendCommand'`,
    "",
  ];
}

import { parseListenAddress } from "../../platform/listen-address";
import { type MqttDevice, startMqttDevice } from "../../simulator";
import { LAMP } from "./sample-products";
import type { Cast, Stage } from "./stage";

const LAMPS = 3;

/** Street lamps that are always connected (MQTT): they report, and obey at once. */
export async function startLamps(stage: Stage): Promise<Cast> {
  const { manage, call, clock, print, name } = stage;
  const seen = { answered: false, confirmed: false };
  const { productId } = await manage<{ productId: string }>("POST", `/apps/${stage.appId}/products`, LAMP);
  const lamps: { readonly deviceId: string; readonly device: MqttDevice }[] = [];
  const { hostname: host, port } = parseListenAddress(stage.addresses.mqtt);
  for (let number = 1; number <= LAMPS; number++) {
    const label = `Lamp ${number}`;
    const registered = await call<{ deviceId: string; secret: string }>(
      "POST",
      "/iocm/app/reg/v2.0.0/deviceCredentials",
      { deviceInfo: { nodeId: `${name}-lamp-${number}`, name: label }, productId, mqttConnect: true },
    );
    stage.label(registered.deviceId, label);
    const device = await startMqttDevice({
      address: { host, port },
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
  const commanded = lamps[0]?.deviceId ?? "";

  return {
    productId,
    deviceIds: lamps.map(({ deviceId }) => deviceId),
    async report() {
      for (const [index, { device }] of lamps.entries()) {
        const data = sample(clock.now(), index);
        await device.report("Lamp", data);
        print(`report  ► Lamp ${index + 1} ${JSON.stringify(data)} is stored`);
      }
    },
    async command() {
      const brightness = Math.floor((clock.now() / 1_000) % 100);
      const path = `/iocm/app/signaltrans/v1.1.0/devices/${commanded}/services/Lamp/sendCommand`;
      const header = { mode: "ACK", from: "/users/demo", method: "SET_BRIGHTNESS" };
      const answer = await call<{ status: string }>("POST", path, { header, body: { brightness } });
      print(`command ► SET_BRIGHTNESS ${brightness} to Lamp 1: ${answer.status}`);
    },
    onPush({ notifyType }) {
      if (notifyType === "commandRsp") seen.answered = true;
      if (notifyType === "messageConfirm") seen.confirmed = true;
    },
    missing: () => [
      ...(seen.answered ? [] : ["answer of a lamp"]),
      ...(seen.confirmed ? [] : ["confirmation of a lamp's command"]),
    ],
    stop: async () => void (await Promise.all(lamps.map(({ device }) => device.stop()))),
  };
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

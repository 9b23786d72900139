import type { LiveDevice } from "../../capabilities/devices/device";
import type { SubDeviceTask } from "../../capabilities/devices/sub-devices";
import { encodeString, type PublishView } from "../../wire/mqtt";
import { type Connection, PAUSE } from "./connection";
import type { Hub } from "./hub";
import { acknowledgeAfter, isDuplicate, passOn, ticketFor } from "./inbound";
import { sendDownlink } from "./outbound";
import { parseSubDeviceRequest, renderAnswer, renderRefusal, type SubDeviceRequest } from "./sub-device-message";
import { firstSubscribed } from "./subscribed-topic";
import { subDeviceAnswerTopic } from "./topics";

/**
 * A gateway adds, deletes or tells the status of devices behind it. Nothing more is read of it until that is on disk: what
 * it sends next may be about them, and a flood goes at the speed of the disk. Acknowledged then; the answer follows, to who
 * listens.
 */
export function takeSubDevices(hub: Hub, connection: Connection, view: PublishView): void {
  if (isDuplicate(hub, connection, view)) return;
  const gateway = connection.device as LiveDevice;
  const request = parseSubDeviceRequest(view.payload(), hub.settings.maxSubDevicesPerRequest);
  const counters = hub.counters.inbound[connection.protocol];
  if (request.kind === "refused") {
    counters.refused.add();
    trace(hub, gateway, "sub_devices_refused", request.reason);
    passOn(hub, connection, view, ticketFor(view));
    tell(hub, connection, renderRefusal(request));
    return;
  }
  counters.sub_devices.add();
  connection.pause(PAUSE.subDevices);
  const answered = run(hub, gateway, request).then((answer) => tell(hub, connection, answer));
  void acknowledgeAfter(hub, connection, view, answered, (error) =>
    hub.log.error("mqtt_sub_devices_not_stored", { deviceId: gateway.id, error }),
  ).finally(() => connection.resume(PAUSE.subDevices));
}

async function run(hub: Hub, gateway: LiveDevice, request: Extract<SubDeviceRequest, { kind: "request" }>) {
  const tasks = request.entries.map(({ task }) => task).filter((task): task is SubDeviceTask => task !== undefined);
  const answer = renderAnswer(request, await hub.subDevices.run(gateway.no, tasks));
  for (const device of answer.devices)
    if (device.errcode !== 0) trace(hub, gateway, `sub_device_${request.type}_refused`, JSON.stringify(device));
  return answer;
}

function trace(hub: Hub, { no }: LiveDevice, reason: string, detail: string): void {
  hub.trace.record({ deviceNo: no, kind: "publish", outcome: "failed", reason, detail: detail.slice(0, 400) });
}

/** At most once: who misses it asks again, and gets the same. */
function tell(hub: Hub, connection: Connection, answer: object): void {
  const { device, loginId } = connection;
  if (connection.state !== "open" || !device) return;
  const target = firstSubscribed(connection, [loginId, device.id, device.nodeId].map(subDeviceAnswerTopic));
  if (!target) return;
  const payload = new TextEncoder().encode(JSON.stringify(answer));
  sendDownlink(hub, connection, 0, { topic: encodeString(target.topic), payload, mid: 0, delivered() {} }).catch(
    (error: unknown) => hub.log.error("mqtt_sub_devices_not_answered", { deviceId: device.id, error }),
  );
}

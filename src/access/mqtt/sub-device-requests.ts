import type { LiveDevice } from "../../capabilities/devices/device";
import type { SubDeviceTask } from "../../capabilities/devices/sub-devices";
import { encodeString, isTopicName, type PublishView } from "../../wire/mqtt";
import { type Connection, PAUSE } from "./connection";
import type { Hub } from "./hub";
import { isDuplicate, passOn, ticketFor } from "./inbound";
import { sendDownlink } from "./outbound";
import { INBOUND_RELEASED } from "./session-repository";
import { NO_TICKET, NOBODY } from "./sessions";
import { parseSubDeviceRequest, renderAnswer, renderRefusal, type SubDeviceRequest } from "./sub-device-message";
import { grantedQoS } from "./subscribed-topic";
import { answerTicket } from "./ticket";
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
  const { qos, packetId } = view; // the view is another message's by then
  const plain = ticketFor(view);
  const ticket = qos === 0 ? plain : answerTicket(plain, hub.nextAnswer());
  passOn(hub, connection, view, ticket);
  connection.pause(PAUSE.subDevices);

  function end(): void {
    if (ticket !== plain) connection.answerStored(ticket);
    connection.resume(PAUSE.subDevices);
  }
  run(hub, gateway, request).then(
    (answer) => {
      tell(hub, connection, answer);
      end();
    },
    (error: unknown) => {
      hub.log.error("mqtt_sub_devices_not_stored", { deviceId: gateway.id, error });
      const sessionNo = connection.session?.no;
      hub.abandoned(connection, ticket);
      if (qos === 2 && sessionNo !== undefined)
        hub.ingest.pass(NOBODY, NO_TICKET, { sql: INBOUND_RELEASED, values: [sessionNo, packetId] });
      end();
    },
  );
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
  const topic = [loginId, device.id, device.nodeId]
    .map(subDeviceAnswerTopic)
    .find((it) => isTopicName(it) && grantedQoS(connection, it) !== undefined);
  if (topic === undefined) return;
  const payload = new TextEncoder().encode(JSON.stringify(answer));
  sendDownlink(hub, connection, 0, { topic: encodeString(topic), payload, mid: 0, delivered() {} }).catch(
    (error: unknown) => hub.log.error("mqtt_sub_devices_not_answered", { deviceId: device.id, error }),
  );
}

import type { LiveDevice } from "../../capabilities/devices/device";
import { encodeString } from "../../wire/mqtt";
import type { Connection } from "./connection";
import type { Hub } from "./hub";
import { traceReport } from "./inbound";
import { sendDownlink } from "./outbound";
import { subscribedTopic } from "./subscribed-topic";

/**
 * The codec's answer to a report that is on disk (cloudRsp), to `command/binary` if the device listens there. At most
 * once: a device that misses it has its acknowledgement.
 */
export function answerReport(hub: Hub, connection: Connection, owner: LiveDevice, request: Uint8Array): void {
  send(hub, connection, owner, request).catch((error: unknown) =>
    hub.log.error("mqtt_report_answer_failed", { deviceId: owner.id, error }),
  );
}

async function send(hub: Hub, connection: Connection, owner: LiveDevice, request: Uint8Array): Promise<void> {
  if (connection.state !== "open" || !owner.product) return;
  const target = subscribedTopic(hub, connection, owner.id, "binary");
  if (!target) return;
  const encoded = await hub.codecs.encode(owner.product.product.no, {
    ...{ msgType: "cloudRsp", request, errcode: 0, hasMore: 0 },
  });
  if (encoded.kind === "failed") traceReport(hub, owner, encoded.reason, `the answer: ${encoded.detail}`);
  if (encoded.kind !== "bytes" || connection.state !== "open") return;
  const { topic } = target;
  await sendDownlink(hub, connection, 0, {
    topic: encodeString(topic),
    payload: encoded.bytes,
    mid: 0,
    delivered() {},
  });
}

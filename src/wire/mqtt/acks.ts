/** PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 3.1.1 §3.4 to §3.7) into a buffer that is there, many for one write. */
import { requirePacketId } from "./fields";
import { firstByteOf } from "./fixed-header";

/** Bytes of one acknowledgement. */
export const ACK_LENGTH = 4;

/** Each writes its packet at `offset` and returns the offset behind it. */
export const encodePuback = ackEncoder("puback");
export const encodePubrec = ackEncoder("pubrec");
export const encodePubrel = ackEncoder("pubrel");
export const encodePubcomp = ackEncoder("pubcomp");

function ackEncoder(type: "puback" | "pubrec" | "pubrel" | "pubcomp") {
  const firstByte = firstByteOf(type);
  return (packetId: number, into: Uint8Array, offset: number): number => {
    requirePacketId(packetId);
    into[offset] = firstByte;
    into[offset + 1] = 2;
    into[offset + 2] = packetId >> 8;
    into[offset + 3] = packetId & 0xff;
    return offset + ACK_LENGTH;
  };
}

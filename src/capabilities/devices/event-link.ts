/** One entry of `services` of an event message: what is said, and with what (ota.md 8.3, iotda-device.md 7). */
export type SystemEvent = {
  readonly serviceId: string; // `$ota`
  readonly eventType: string;
  readonly paras: Readonly<Record<string, unknown>>;
};

/** Port: the topics `$oc/devices/{id}/sys/events/…` of a device. `access/mqtt` implements it, `app` joins it. */
export interface EventLink {
  /** Is the device connected itself, and does it hear events now? */
  isListening(deviceNo: number): boolean;
  /** Resolves `sent` when the bytes are with the socket, and on disk where the session outlives the connection. */
  send(deviceNo: number, event: SystemEvent): Promise<"sent" | "unreachable">;
  /** Of the platform, as the device reaches it; undefined when it is not connected. */
  localAddressOf(deviceNo: number): string | undefined;
}

/** Port the other way. */
export interface EventSink {
  /** Acknowledged when this resolves: then everything that follows is on disk. Rejects when the disk does not take it. */
  received(deviceNo: number, event: SystemEvent): Promise<void>;
  /** It hears events from now on: it subscribed, or came back with a session that has. */
  listening(deviceNo: number): void;
}

/**
 * Port to the access side: how messages reach a device. Declared here, implemented by each protocol, joined in `app`.
 * `access/mqtt` and `access/lwm2m` pass the same suite.
 */
export interface DeviceLink {
  /** Does this link hold a connection (or session) of the device now? */
  isConnected(deviceNo: number): boolean;
  /**
   * Hands a command to the device. Resolves `sent` when the bytes are with the transport and everything needed to resend
   * them is on disk; `unreachable` when the device is not connected or has not subscribed to its command topic.
   * `delivered` is called at most once, when the device has acknowledged the transport message (PUBACK, CoAP ACK);
   * never for a QoS 0 delivery.
   */
  sendCommand(deviceNo: number, command: DownlinkCommand, delivered: () => void): Promise<"sent" | "unreachable">;
  /** Closes the connection of a device that was deleted, frozen out or given new credentials. */
  disconnect(deviceNo: number, reason: string): void;
  /**
   * Does a session that outlives the connection (and a restart) hold this command, so that it is sent again? Left out: no.
   * Its acknowledgement after a restart goes to `CommandService.delivered`.
   */
  holdsCommand?(deviceNo: number, mid: number): boolean;
}

export type DownlinkCommand = {
  readonly mid: number; // 1-65535
  readonly serviceId: string;
  readonly method: string;
  readonly paras: Readonly<Record<string, unknown>>;
  /** The device itself, or a sub-device behind it, is addressed. */
  readonly deviceId: string;
  /** QoS 0, CoAP NON: no acknowledgement, nothing is kept for resending. Left out: at least once. */
  readonly atMostOnce?: boolean;
};

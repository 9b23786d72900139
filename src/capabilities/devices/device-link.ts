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
  /** Further commands wait behind this one: a device that is told so stays awake for them. */
  readonly hasMore?: boolean;
};

/**
 * Port: devices that sleep (LwM2M, NB-IoT). Implemented by `access/lwm2m`. What goes to such a device is first made
 * (`prepare`), then stored with the state it belongs to, then sent (`transmit`), so that a later process can go on
 * sending the very same bytes and the device takes it once.
 */
export interface SleepingDeviceLink {
  /** It has a registration that has not run out. */
  isRegistered(deviceNo: number): boolean;
  /** It would hear a message that is sent now: it was heard within its awake time. */
  isListening(deviceNo: number): boolean;
  /** Encodes the command with the codec of the product. Never rejects. */
  prepare(deviceNo: number, command: DownlinkCommand): Promise<PreparedDownlink>;
  /**
   * Sends it confirmably, one exchange of a device at a time, and resolves with what became of it; never rejects.
   * Nothing is ever sent again after the outcome.
   */
  transmit(deviceNo: number, datagram: Uint8Array, options: DownlinkTransmission): Promise<DownlinkOutcome>;
}
export type PreparedDownlink =
  | { readonly kind: "ready"; readonly datagram: Uint8Array }
  | { readonly kind: "unreachable" } // no registration
  /** `reason`: a CodecFailure, or `payload_too_large`. */
  | { readonly kind: "notEncodable"; readonly reason: string; readonly detail: string };
export type DownlinkTransmission = {
  readonly ackTimeoutMs: number; // first wait for the ACK; spread and doubled (RFC 7252 §4.2)
  readonly maxRetransmit: number;
  readonly giveUpAfterMs: number; // from now
  readonly signal?: AbortSignal | undefined;
};
export type DownlinkOutcome =
  | { readonly kind: "acknowledged" }
  /** The device has it and says no: `4.04`, `reset`. */
  | { readonly kind: "refused"; readonly detail: string }
  | { readonly kind: "noAcknowledgement" }
  | { readonly kind: "cancelled" };

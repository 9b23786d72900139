/** Limits and times of the MQTT listener. Times in milliseconds, sizes in bytes. */
export type MqttSettings = {
  /** From the accepted connection (TLS handshake included) to the complete CONNECT. */
  readonly connectTimeoutMs: number;
  /** Of all listeners together; the next CONNECT is answered with return code 3. */
  readonly maxConnections: number;
  /** Connections that have not finished CONNECT; more are closed when they are accepted. */
  readonly maxHalfOpen: number;
  /** Connections accepted per remote address: steady rate, and how many may come at once. */
  readonly connectsPerSecondPerAddress: number;
  readonly connectBurstPerAddress: number;
  /** Largest CONNECT, its will included. */
  readonly maxConnectBytes: number;
  /** Largest packet after CONNECT. */
  readonly maxPacketBytes: number;
  /** Received and not yet on disk, per connection: beyond it the socket is not read. */
  readonly maxUncommittedMessages: number;
  readonly maxUncommittedBytes: number;
  /** Written and not yet taken by the network, per connection: beyond it the connection is dropped. */
  readonly maxOutboundBytes: number;
  /** A connection that takes none of its waiting output for this long is dropped. */
  readonly stallTimeoutMs: number;
  /** Messages to a device that it has not acknowledged. */
  readonly maxInflight: number;
  readonly maxSubscriptions: number;
  readonly maxFilterBytes: number;
  /** Messages of one connection that a codec works on in its own time; beyond it the socket is not read. */
  readonly maxDecoding: number;
  /** Sub-devices that one connection keeps at hand. */
  readonly maxCachedSubDevices: number;
  /** Sub-devices that a gateway adds, deletes or gives a status with one message. */
  readonly maxSubDevicesPerRequest: number;
  /** Events in one message of `$oc/…/sys/events/up`. */
  readonly maxEventsPerMessage: number;
  /** Messages to one connection of an application that it has not acknowledged. */
  readonly maxApplicationInflight: number;
  readonly maxConnectionsPerApplication: number;
  /** Persistent ones of one application, by client id. */
  readonly maxApplicationSessions: number;
  /** How long a persistent session is kept without a connection, and a notification for an application that is away. */
  readonly sessionExpiryMs: number;
  /** Signature type 1: how far the hour of the client id may be from the clock's hour. */
  readonly timestampToleranceMs: number;
  /** Wrong logins of one identity from one address before refusals are held back; the time doubles with each. */
  readonly loginFailuresAllowed: number;
  readonly loginDelayMs: number;
  readonly maxLoginDelayMs: number;
  /** `stop()` waits this long for commits under way. */
  readonly stopGraceMs: number;
};

export const MQTT_DEFAULTS: MqttSettings = {
  connectTimeoutMs: 10_000,
  maxConnections: 100_000,
  maxHalfOpen: 10_000,
  connectsPerSecondPerAddress: 1_000,
  connectBurstPerAddress: 20_000,
  maxConnectBytes: 16 * 1024,
  maxPacketBytes: 1024 * 1024,
  maxUncommittedMessages: 4_096,
  maxUncommittedBytes: 2 * 1024 * 1024,
  maxOutboundBytes: 1024 * 1024,
  stallTimeoutMs: 30_000,
  maxInflight: 256,
  maxSubscriptions: 256,
  maxFilterBytes: 1_024,
  maxDecoding: 64,
  maxCachedSubDevices: 1_024,
  maxSubDevicesPerRequest: 50,
  maxEventsPerMessage: 16,
  maxApplicationInflight: 256,
  maxConnectionsPerApplication: 16,
  maxApplicationSessions: 64,
  sessionExpiryMs: 7 * 24 * 3_600_000,
  timestampToleranceMs: 3_600_000,
  loginFailuresAllowed: 10,
  loginDelayMs: 500,
  maxLoginDelayMs: 5_000,
  stopGraceMs: 5_000,
};

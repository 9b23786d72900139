import type { AppId } from "../applications/application";
import type { Device, DeviceId, LiveDevice } from "../devices/device";
import type { CancelTask, CancelTaskFilter, CancelTaskPage } from "./cancel-task";

/** `commandId` of 1.9.1 and `requestId` of 1.9.7: unique within the application, up to 128 characters. */
export type CommandId = string & { readonly brand: "CommandId" };

export const COMMAND_STATUSES = [
  "PENDING",
  "SENT",
  "DELIVERED",
  "SUCCESSFUL",
  "FAILED",
  "TIMEOUT",
  "EXPIRED",
  "CANCELED",
] as const;
export type CommandStatus = (typeof COMMAND_STATUSES)[number];

/**
 * ACK: at least once (QoS 1); acknowledgement and answer are awaited. NOACK: at most once (QoS 0); the command ends as
 * SENT when it is with the transport, nothing is awaited, and an answer that comes anyway is traced and dropped.
 */
export type CommandMode = "ACK" | "NOACK";
export type CommandParas = Readonly<Record<string, unknown>>;

/**
 * How it goes to its device. connected: through a connection. To a device that sleeps (its product speaks CoAP or LWM2M):
 * immediate: at once, whether it listens or not; cached: kept until it is there.
 */
export type CommandDispatch = "connected" | "immediate" | "cached";

/** How a command ended: what the device said, or why it never could. `detail` is for people. */
export type CommandResult =
  | { readonly errcode: number; readonly body: CommandParas | undefined }
  | { readonly reason: CommandFailure; readonly detail?: string };
export const COMMAND_FAILURES = [
  "device_unreachable",
  "connection_lost",
  "platform_restarted",
  "no_answer",
  // of devices that sleep
  "device_offline", // an immediate one, and the platform knew
  "not_encodable",
  "refused_by_device",
  "no_acknowledgement",
] as const;
export type CommandFailure = (typeof COMMAND_FAILURES)[number];

export type Command = {
  readonly no: number; // internal key; grows with creation
  readonly id: CommandId;
  readonly appNo: number; // the application that owns the device
  readonly appId: AppId;
  readonly deviceNo: number;
  readonly deviceId: DeviceId;
  /** `signal`: sent with 1.9.7. `command`: created with 1.9.1, has a `callbackUrl` or none. */
  readonly origin: "signal" | "command";
  readonly dispatch: CommandDispatch;
  readonly serviceId: string;
  readonly serviceType: string;
  readonly method: string;
  readonly paras: CommandParas;
  readonly mode: CommandMode;
  /** Addresses of the request; notifications about the command go `to` its `from` (without one: to the application's id). */
  readonly from: string | undefined;
  readonly toType: string | undefined;
  readonly to: string | undefined;
  readonly callbackUrl: string | undefined;
  /** The authorised application that `callbackUrl` belongs to; undefined: the owner of the device. */
  readonly callbackAppNo: number | undefined;
  readonly expireTimeS: number | undefined;
  readonly maxRetransmit: number | undefined;
  readonly status: CommandStatus;
  readonly result: CommandResult | undefined;
  /** How often it was given to the transport; what that repeats by itself does not count. */
  readonly issuedTimes: number;
  readonly createdAt: number; // ms, as the others
  readonly sentAt: number | undefined;
  readonly deliveredAt: number | undefined;
  /** When the device answered. */
  readonly executedAt: number | undefined;
};

/** Body of 1.9.7. */
export type NewSignal = {
  readonly deviceId: string;
  readonly serviceId: string;
  readonly method: string;
  readonly paras?: CommandParas | undefined;
  readonly mode?: CommandMode | undefined; // ACK
  readonly requestId?: string | undefined; // empty counts as left out
  readonly from?: string | undefined;
  readonly toType?: string | undefined; // GATEWAY, the only one there is
  readonly to?: string | undefined;
};

/** Body of 1.9.1. The caller has checked `callbackUrl`. */
export type NewCommand = {
  readonly deviceId: string;
  readonly serviceId: string;
  readonly method: string;
  readonly paras: CommandParas;
  readonly callbackUrl?: string | undefined;
  /** As in `Command`. */
  readonly callbackAppNo?: number | undefined;
  /** 0: immediate; left out: cached for the default time. Of no effect for MQTT devices: nothing is cached for them. */
  readonly expireTimeS?: number | undefined;
  readonly maxRetransmit?: number | undefined;
};

export type CommandFilter = {
  readonly deviceId?: string | undefined;
  readonly createdAfter?: number | undefined; // ms, exclusive
  readonly createdBefore?: number | undefined;
  readonly status?: CommandStatus | undefined;
  readonly origin?: Command["origin"] | undefined;
  readonly pageNo: number; // 0 is the first page
  readonly pageSize: number;
};

export interface CommandService {
  /**
   * 1.9.7. `appId` owns the device. Throws INPUT_INVALID (requestId repeated), RECEIVER_TYPE_UNKNOWN, DEVICE_NOT_FOUND,
   * SERVICE_NOT_FOUND, COMMAND_NAME_INVALID, COMMAND_MUTED, COMMAND_PARAMETERS_INVALID, DEVICE_OFFLINE, GATEWAY_OFFLINE,
   * CONGESTED (too many open commands); a refused request leaves no command behind. A device that could not be reached
   * after all gives status FAILED in the result. Use `signalStatus` for the words of 1.9.7; `sentAt ?? createdAt` is its timestamp.
   */
  send(appId: AppId, signal: NewSignal): Promise<Command>;
  /**
   * 1.9.1. To a connected device as `send`, with mode ACK. To a device that sleeps it throws DEVICE_NOT_FOUND,
   * SERVICE_NOT_FOUND, COMMAND_NAME_INVALID, COMMAND_MUTED, COMMAND_PARAMETERS_INVALID, DEVICE_ZOMBIE (not seen for too
   * long), COMMAND_LIMIT_REACHED (cached ones), CONGESTED; a cached one comes back as PENDING, an immediate one as SENT,
   * or as FAILED when the platform knows that the device is offline.
   */
  create(appId: AppId, command: NewCommand): Promise<Command>;
  /** 1.9.3: a PENDING command becomes CANCELED. Throws COMMAND_NOT_FOUND, COMMAND_NOT_CANCELLABLE. */
  cancel(appId: AppId, id: string): Promise<Command>;
  /** 1.9.5: a task that cancels all that is PENDING for the device; comes back WAITTING. Throws DEVICE_NOT_FOUND. */
  createCancelTask(appId: AppId, deviceId: string): Promise<CancelTask>;
  /** 1.9.6, newest first. Throws DEVICE_NOT_FOUND, INPUT_INVALID (empty period). */
  queryCancelTasks(appId: AppId, filter: CancelTaskFilter): CancelTaskPage;
  /** 1.9.2, newest first. Throws DEVICE_NOT_FOUND, INPUT_INVALID (empty period). */
  query(appId: AppId, filter: CommandFilter): { items: Command[]; total: number };
  find(appId: AppId, id: string): Command | undefined;

  /** To this device: how many have not ended. */
  countOpen(device: Pick<Device, "no" | "gatewayNo">): number;

  /** A device answered (deviceRsp). Resolves when it is on disk, or was refused for good (unknown or closed mid: traced). */
  answered(device: LiveDevice, mid: number, errcode: number, body: CommandParas | undefined): Promise<void>;
  /**
   * The device acknowledged a message of a session that was resumed after a restart: the `delivered` callback of then is
   * gone. Calling it for one that is known as delivered changes nothing. `deviceNo` has the connection.
   */
  delivered(deviceNo: number, mid: number): Promise<void>;
  /** The last connection of a device is gone. Commands that no kept session holds (`DeviceLink.holdsCommand`) have failed. */
  connectionLost(deviceNo: number): Promise<void>;
  /** Once at start, before devices can connect: ends what the last run left open, and knows again what waits. */
  recover(): Promise<void>;
  /** Once, when the way to devices that sleep is open: what waits goes on where the device listens. */
  resume(): Promise<void>;
  /**
   * The device is busy with an upgrade: nothing more leaves the queue of one that sleeps until the returned function is
   * called. A connected one gets what is sent to it, as its application wants it at once; the trace warns. Holds add up.
   */
  hold(deviceNo: number): () => void;
  /** Ends the exchanges under way; their commands stay as they are, for the next run. */
  stop(): Promise<void>;
}

export function signalStatus({ status }: Pick<Command, "status">): "sent" | "delivered" | "failed" {
  switch (status) {
    case "PENDING":
    case "SENT":
      return "sent";
    case "DELIVERED":
    case "SUCCESSFUL":
      return "delivered";
    case "FAILED":
    case "TIMEOUT":
    case "EXPIRED":
    case "CANCELED":
      return "failed";
    default:
      return status satisfies never;
  }
}

/**
 * Emitted inside the transaction of the change, in the order of the changes; `command` is as it is after the change.
 * messageConfirm: sent, delivered, answered (`executed`). commandRsp: answered; both with MQTT only. Command's own
 * callback address (1.8.12): delivered, answered, failed with `command.status`; sent only for cached ones.
 */
export type CommandEvents = {
  commandSent: { command: Command; at: number };
  commandDelivered: { command: Command; at: number };
  commandAnswered: { command: Command; at: number; errcode: number; body: CommandParas | undefined };
  /** It ended without an answer of the device: FAILED or TIMEOUT. */
  commandFailed: { command: Command; at: number; reason: CommandFailure };
  /** It ended before it was sent: EXPIRED or CANCELED. Applications are not told of it (platform.md 7.3). */
  commandLapsed: { command: Command; at: number };
};

/** For work that keeps what it does with commands in one transaction with its own rows: only inside `Transactor.write`. */
export interface CommandTransactions {
  /**
   * A cached command, as `CommandService.create` makes it. Throws COMMAND_NOT_CACHEABLE (the device does not sleep) and what
   * `create` throws for devices that sleep; nothing is left behind then.
   */
  cache(device: Device, command: Omit<NewCommand, "deviceId">): Command;
  /** What is PENDING becomes CANCELED, or EXPIRED when its time is over; anything else stays. The command as it is then. */
  withdraw(commandNo: number): Command | undefined;
}

export type CommandSettings = {
  /** How long an answer is awaited. Then a command that was not acknowledged has failed; `mid` is free again. */
  readonly answerTimeoutMs: number;
  /** Commands a connection (a gateway with all its sub-devices) may have open; more are refused with CONGESTED. At most 65535. */
  readonly maxOpenPerDevice: number;
  /** How long ended commands can be queried. */
  readonly keepMs: number;
  /** How often answers that did not come and old commands are looked for. */
  readonly sweepIntervalMs: number;
  /** Commands touched in one transaction of a sweep, so that it never stalls the loop. */
  readonly sweepBatch: number;
  // For devices that sleep:
  /** Commands that may be PENDING for one of them. */
  readonly pendingPerDevice: number;
  /** How long a command is cached that says nothing of it. */
  readonly defaultExpireS: number;
  /** From the first sending to the acknowledgement; an immediate one may also wait so long for its turn. */
  readonly ackTimeoutMs: number;
  /** First wait before the same message is sent again; the link spreads and doubles it. */
  readonly retransmitMs: number;
  /** How often it is sent again, if the command says nothing of it. */
  readonly maxRetransmit: number;
  /** A device that was not seen for so long gets no commands. */
  readonly zombieAfterMs: number;
};
export const COMMAND_DEFAULTS: CommandSettings = {
  answerTimeoutMs: 24 * 3_600_000,
  maxOpenPerDevice: 1_000,
  keepMs: 7 * 24 * 3_600_000,
  sweepIntervalMs: 10_000,
  sweepBatch: 500,
  pendingPerDevice: 20,
  defaultExpireS: 172_800,
  ackTimeoutMs: 180_000,
  retransmitMs: 10_000,
  maxRetransmit: 3,
  zombieAfterMs: 7 * 24 * 3_600_000,
};

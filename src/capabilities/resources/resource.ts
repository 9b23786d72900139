import type { LwM2mType, NotificationAttributes, Operations } from "../../wire/lwm2m";

export const RESOURCE_OPS = [
  "read",
  "write",
  "execute",
  "create",
  "delete",
  "discover",
  "writeAttributes",
  "observe",
  "cancelObserve",
] as const;
export type ResourceOp = (typeof RESOURCE_OPS)[number];
export const VALUE_TYPES = [
  "string",
  "integer",
  "unsigned",
  "float",
  "boolean",
  "opaque",
  "time",
  "objlnk",
  "corelnk",
] as const satisfies readonly LwM2mType[];

/**
 * A value as JSON. Whole numbers beyond 2^53 are text, as are NaN and the infinities; a time is ISO 8601 in UTC, opaque
 * bytes are base64, an object link is `3:0`. Several values: an object by their ids. An instance: an object by resource
 * ids; an object: by instance ids.
 */
export type JsonValue = string | number | boolean | { readonly [id: string]: JsonValue };

/** What somebody wants of a device. Fields that do not go with the operation are refused. */
export type ResourceOperation = {
  readonly op: ResourceOp;
  /** `/3`, `/3/0`, `/3/0/7`, `/3/0/7/1`. To create: the object (the lowest free number is taken) or the new instance. */
  readonly path: string;
  /** write: of a resource or one of several values; checked by what the definition says. */
  readonly value?: unknown;
  /** write: only for a resource without a definition; else the JSON tells. */
  readonly valueType?: LwM2mType | undefined;
  /** write, create: of an instance, by resource id. */
  readonly values?: Readonly<Record<string, unknown>> | undefined;
  /** write: default `replace` for a resource, `update` for an instance. */
  readonly mode?: "replace" | "update" | undefined;
  /** execute: up to 1,024 characters, as they are. */
  readonly arguments?: string | undefined;
  readonly attributes?: NotificationAttributes | undefined;
};

export type DiscoveredLink = {
  readonly path: string;
  readonly version: string | undefined;
  /** How many values the resource has. */
  readonly dimension: number | undefined;
  readonly attributes: NotificationAttributes;
};
export type OperationResult = {
  readonly path: string; // of the new instance, after create
  /** read, observe. */
  readonly value: JsonValue | undefined;
  /** discover. */
  readonly links: readonly DiscoveredLink[] | undefined;
};

export type ResourceView = {
  readonly resourceId: number;
  readonly path: string;
  readonly name: string | undefined;
  readonly type: LwM2mType | undefined;
  readonly operations: Operations | undefined;
  readonly units: string | undefined;
  readonly multiple: boolean | undefined;
  readonly mandatory: boolean | undefined;
  /** The device has shown it; otherwise only the definition says that it may be there. */
  readonly known: boolean;
  readonly value: JsonValue | undefined;
  /** The last value was too long to be kept: its length as JSON. */
  readonly omittedChars: number | undefined;
  readonly lastSeenMs: number | undefined;
  readonly observed: boolean;
};
export type InstanceView = {
  readonly instanceId: number;
  /** The registration names it. */
  readonly registered: boolean;
  readonly resources: readonly ResourceView[];
};
export type ObjectView = {
  readonly objectId: number;
  readonly name: string | undefined;
  readonly version: string | undefined;
  readonly registered: boolean;
  readonly instances: readonly InstanceView[];
};

export type ObservationView = {
  readonly path: string;
  readonly sinceMs: number;
  /** `unknown`: nothing came since the platform started. `ended` ones are begun again with the next registration. */
  readonly state: "unknown" | "active" | "ended";
  readonly endedReason: string | undefined;
};

/** What the device said when it registered, and whether it listens now. */
export type RegistrationView = {
  readonly endpoint: string;
  readonly style: "lwm2m" | "tup";
  readonly version: string;
  readonly transports: readonly string[];
  readonly queueMode: boolean;
  readonly lifetimeS: number;
  readonly address: string;
  readonly isSecure: boolean;
  readonly rootPath: string;
  readonly objects: readonly { objectId: number; version: string | undefined; instanceIds: readonly number[] }[];
  readonly registeredAtMs: number;
  readonly updatedAtMs: number;
  readonly expiresAtMs: number;
  readonly listening: boolean;
};

/** The live tree of a device's objects, for operators. */
export interface DeviceResources {
  /** Throws DEVICE_NOT_REGISTERED. */
  registration(deviceNo: number): RegistrationView;
  /** Ascending by id; empty for a device that was never registered. */
  tree(deviceNo: number): ObjectView[];
  observations(deviceNo: number): ObservationView[];
  /**
   * Operations of a device run one after the other, in the order of the calls. With `waitS` a device that sleeps, or has
   * no registration, is waited for so long. Throws INPUT_INVALID {field, reason}, RESOURCE_UNKNOWN, CONGESTED,
   * DEVICE_NOT_REGISTERED, DEVICE_ASLEEP, DEVICE_NO_ANSWER, DEVICE_REFUSED {code, reason}, CONFLICT (too many
   * observations), DEVICE_NOT_FOUND (deleted meanwhile).
   */
  operate(deviceNo: number, operation: ResourceOperation, options?: { waitS?: number }): Promise<OperationResult>;
}

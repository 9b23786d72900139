import type {
  Binding,
  DeviceObject,
  DiscoveredPath,
  LwM2mNode,
  LwM2mPath,
  NotificationAttributes,
  ObjectInstanceNode,
} from "../../wire/lwm2m";

/** One operation on the objects of a device (OMA LwM2M TS 1.0.2 §5.4, §5.5). A `node` describes what lies at `path`. */
export type ResourceRequest =
  | { readonly op: "read" | "discover" | "delete" | "observe" | "cancelObserve"; readonly path: LwM2mPath }
  | { readonly op: "write"; readonly path: LwM2mPath; readonly mode: "replace" | "update"; readonly node: LwM2mNode }
  | { readonly op: "writeAttributes"; readonly path: LwM2mPath; readonly attributes: NotificationAttributes }
  | { readonly op: "execute"; readonly path: LwM2mPath; readonly arguments?: string | undefined }
  | { readonly op: "create"; readonly path: LwM2mPath; readonly node: ObjectInstanceNode };

export type ResourceAnswer =
  | {
      readonly kind: "done";
      /** What was read or observed. */
      readonly node?: LwM2mNode | undefined;
      readonly links?: readonly DiscoveredPath[] | undefined;
      /** Of the new instance, if the device says it. */
      readonly created?: LwM2mPath | undefined;
    }
  /** A 4.xx or 5.xx of the device: `4.05`. */
  | { readonly kind: "refused"; readonly code: string; readonly detail: string | undefined }
  /** It has no registration (any more). */
  | { readonly kind: "unreachable" }
  | { readonly kind: "noAnswer" }
  /** The device answered with something that cannot be read. */
  | { readonly kind: "unreadable"; readonly detail: string };

/** What the device said of itself when it registered. */
export type LwM2mRegistration = {
  readonly endpoint: string;
  readonly location: string; // the id behind /rd/
  /** `tup`: the private dialect on `/t/r`, which knows no objects. */
  readonly style: "lwm2m" | "tup";
  readonly version: string;
  readonly binding: Binding;
  readonly lifetimeSeconds: number;
  readonly rootPath: string;
  readonly objects: readonly DeviceObject[];
  readonly isSecure: boolean;
  readonly address: string; // host:port
  readonly registeredAtMs: number;
  readonly updatedAtMs: number;
  readonly expiresAtMs: number;
};

/** Port: the objects of devices. `access/lwm2m` implements it, `app` joins it. */
export interface ResourceLink {
  registrationOf(deviceNo: number): LwM2mRegistration | undefined;
  /** Would it hear a message that is sent now: registered, and not in queue mode or within its awake time? */
  isListening(deviceNo: number): boolean;
  /** Sends at once, one exchange of a device at a time; never rejects. Whoever wants to wait for a sleeping device waits for `deviceHeard`. */
  request(deviceNo: number, request: ResourceRequest): Promise<ResourceAnswer>;
}

/** What other capabilities may follow; outside transactions. */
export type ResourceEvents = {
  /** A value came by observation, also with the answer to its beginning. Of operators' observations and others'. */
  observed: { readonly deviceNo: number; readonly path: LwM2mPath; readonly node: LwM2mNode };
};

/** Port the other way: values that came by observation. Implemented by `resources`. */
export interface ResourceSink {
  observed(deviceNo: number, path: LwM2mPath, node: LwM2mNode, atMs: number): void;
  /** The device ended the observation, or it got lost with its registration. */
  observationEnded(deviceNo: number, path: LwM2mPath, reason: string): void;
}

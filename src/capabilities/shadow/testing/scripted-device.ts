import type { PreparedDownlink, SleepingDeviceLink } from "../../devices/device-link";
import type { LwM2mRegistration, ResourceAnswer, ResourceLink, ResourceRequest } from "../../resources/resource-link";

/** What the device does with the next message: a function decides when it is asked. */
export type Reaction = "takes" | "ignores" | "refuses" | "gone" | "unreadable";

const ANSWERS: Record<Reaction, ResourceAnswer> = {
  takes: { kind: "done" },
  ignores: { kind: "noAnswer" },
  refuses: { kind: "refused", code: "4.05", detail: undefined },
  gone: { kind: "unreachable" },
  unreadable: { kind: "unreadable", detail: "cut short" },
};
const OUTCOMES = {
  takes: { kind: "acknowledged" },
  ignores: { kind: "noAcknowledgement" },
  refuses: { kind: "refused", detail: "4.04" },
  gone: { kind: "cancelled" },
  unreadable: { kind: "refused", detail: "reset" },
} as const;

/** Both links to any number of devices that do what a script says. */
export function scriptedDevices() {
  const asleep = new Set<number>();
  const script: Reaction[] = [];
  const received: string[] = [];
  const sending = new Map<number, number>();
  const state = {
    style: "lwm2m" as LwM2mRegistration["style"],
    objects: [3, 19] as readonly number[],
    registered: true,
    prepared: undefined as PreparedDownlink | undefined,
    /** Messages of one device at the same time: the most there ever were. */
    mostAtOnce: 0,
    /** While it is set nobody answers. */
    held: undefined as Promise<void> | undefined,
  };

  async function exchange(deviceNo: number, text: string): Promise<Reaction> {
    received.push(`${deviceNo} ${text}`);
    const underWay = (sending.get(deviceNo) ?? 0) + 1;
    sending.set(deviceNo, underWay);
    state.mostAtOnce = Math.max(state.mostAtOnce, underWay);
    await state.held;
    sending.set(deviceNo, (sending.get(deviceNo) ?? 1) - 1);
    return script.shift() ?? "takes";
  }

  const resourceLink: ResourceLink = {
    registrationOf: () =>
      state.registered
        ? ({
            style: state.style,
            objects: state.objects.map((objectId) => ({ objectId, instanceIds: [0] })),
          } as unknown as LwM2mRegistration)
        : undefined,
    isListening: (deviceNo) => state.registered && !asleep.has(deviceNo),
    request: async (deviceNo, request) => ANSWERS[await exchange(deviceNo, describe(request))],
  };
  const sleepingLink: SleepingDeviceLink = {
    isRegistered: () => state.registered,
    isListening: resourceLink.isListening,
    prepare: async (_deviceNo, { mid: _, ...command }) =>
      state.prepared ?? { kind: "ready", datagram: new TextEncoder().encode(JSON.stringify(command)) },
    transmit: async (deviceNo, datagram, { signal }) => {
      const aborted = new Promise<"gone">((resolve) => signal?.addEventListener("abort", () => resolve("gone")));
      return OUTCOMES[await Promise.race([exchange(deviceNo, new TextDecoder().decode(datagram)), aborted])];
    },
  };
  return {
    resourceLink,
    sleepingLink,
    asleep,
    /** Reactions to the next messages; after the last one: takes. */
    script,
    state,
    /** What has arrived since the last call. */
    got: () => received.splice(0),
    hold() {
      const { promise, resolve } = Promise.withResolvers<void>();
      state.held = promise;
      return () => {
        state.held = undefined;
        resolve();
      };
    },
  };
}
export type ScriptedDevices = ReturnType<typeof scriptedDevices>;

function describe(request: ResourceRequest): string {
  if (request.op !== "write" || request.node.kind !== "objectInstance") return request.op;
  const values = request.node.resources.map((resource) =>
    resource.kind === "resource"
      ? `${resource.id}=${resource.value.type}:${String(resource.value.value)}`
      : `${resource.id}=[${resource.instances.map(({ id, value }) => `${id}:${String(value.value)}`).join()}]`,
  );
  return `${request.mode} /${request.path.join("/")} ${values.join(" ")}`;
}

import type { LwM2mRegistration, ResourceAnswer, ResourceLink, ResourceRequest } from "../resource-link";

export type Exchange = {
  readonly deviceNo: number;
  readonly request: ResourceRequest;
  answer(answer: ResourceAnswer): void;
};

export const registration = (change: Partial<LwM2mRegistration> = {}): LwM2mRegistration => ({
  endpoint: "861234500000017",
  location: "a1",
  style: "lwm2m",
  version: "1.0",
  binding: { transports: ["U"], queueMode: true },
  lifetimeSeconds: 86_400,
  rootPath: "/",
  objects: [
    { objectId: 1, instanceIds: [0] },
    { objectId: 3, version: "1.1", instanceIds: [0] },
    { objectId: 20, instanceIds: [0] },
    { objectId: 3303, instanceIds: [0, 1] },
    { objectId: 33_000, instanceIds: [0] },
  ],
  isSecure: false,
  address: "192.0.2.1:5683",
  registeredAtMs: 1_000,
  updatedAtMs: 2_000,
  expiresAtMs: 86_402_000,
  ...change,
});

/** Devices that answer when, and what, the test says. */
export function fakeResourceLink() {
  const registrations = new Map<number, LwM2mRegistration>();
  const listening = new Set<number>();
  const exchanges: Exchange[] = [];
  let behave: ((request: ResourceRequest, deviceNo: number) => ResourceAnswer | undefined) | undefined;

  const link: ResourceLink = {
    registrationOf: (deviceNo) => registrations.get(deviceNo),
    isListening: (deviceNo) => listening.has(deviceNo),
    request(deviceNo, request) {
      const { promise, resolve } = Promise.withResolvers<ResourceAnswer>();
      exchanges.push({ deviceNo, request, answer: resolve });
      const answer = behave?.(request, deviceNo);
      if (answer) resolve(answer);
      return promise;
    },
  };
  return {
    link,
    /** All that was sent, in order. */
    exchanges,
    register: (deviceNo: number, change?: Partial<LwM2mRegistration>) =>
      void registrations.set(deviceNo, registration(change)),
    deregister: (deviceNo: number) => void registrations.delete(deviceNo),
    wake: (deviceNo: number) => void listening.add(deviceNo),
    sleep: (deviceNo: number) => void listening.delete(deviceNo),
    /** Answers by itself from now on; undefined leaves it to the test. */
    behaveAs(next: typeof behave): void {
      behave = next;
    },
    last(): Exchange {
      const exchange = exchanges.at(-1);
      if (!exchange) throw new Error("nothing was sent");
      return exchange;
    },
  };
}
export type FakeResourceLink = ReturnType<typeof fakeResourceLink>;

/** Lets everything run that waits for nothing but its turn. */
export const settle = () => new Promise<void>((resolve) => setImmediate(resolve));

import type { CoapLoadResult, HandshakeLoadResult, NbCredentials } from "../../src/simulator";
import type { RecordCipher } from "../../src/wire/dtls";
import { startChild } from "./child";

export type NbLoad = {
  readonly server: { readonly host: string; readonly port: number };
  readonly devices: readonly NbCredentials[];
  /** Undefined: plain. */
  readonly cipher?: RecordCipher;
  readonly send:
    | { readonly kind: "reports"; readonly style: "lwm2m" | "tup"; readonly payload: string }
    | { readonly kind: "echo"; readonly payload: string }
    | { readonly kind: "gets"; readonly path: string }
    | "handshakes";
  readonly window: number;
  readonly warmUpSeconds: number;
  readonly seconds: number;
};

/** The load generator of the project in a process of its own: the same for us and for the peers. */
export const runNbLoad = (load: NbLoad & { send: Exclude<NbLoad["send"], "handshakes"> }) => run<CoapLoadResult>(load);
export const runHandshakes = (load: Omit<NbLoad, "send" | "window">) =>
  run<HandshakeLoadResult>({ ...load, window: 1, send: "handshakes" });

async function run<T>(load: NbLoad): Promise<T> {
  const child = startChild("coap-load-child.ts", load);
  const result = await child.next<T>();
  await child.stop();
  return result;
}

export const anonymousNbDevices = (count: number, psk?: string): NbCredentials[] =>
  Array.from({ length: count }, (_, index) => ({ nodeId: `load-${index + 1}`, psk }));

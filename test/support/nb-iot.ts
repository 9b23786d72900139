import smokeDetector from "../../docs/examples/smoke-detector.json" with { type: "json" };
import codec from "../../docs/examples/smoke-detector-codec.json" with { type: "json" };
import { application, operator } from "./api";
import type { Islet } from "./islet";
import { type NbDevice, type NbOptions, nbDevice } from "./nb-device";

export const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
export const hex = (it: Uint8Array) => Buffer.from(it).toString("hex");

/** Reports and answers of the smoke detector, as its codec has them. */
export const level = (value: number) => Uint8Array.of(0, value >> 8, value & 0xff);
export const answer = (mid: number, errcode: number, result: number) =>
  Uint8Array.of(4, mid >> 8, mid & 0xff, errcode, result);
/** `mid` and `value` of a SET_ALARM. */
export const readAlarm = (command: Uint8Array) => ({
  mid: ((command[1] ?? 0) << 8) | (command[2] ?? 0),
  value: command[3] ?? -1,
});

export type Registered = { deviceId: string; psk: string; nodeId: string };
export type Command = {
  commandId: string;
  status: string;
  issuedTimes: number;
  expireTime: number;
  platformIssuedTime: string | null;
  deliveredTime: string | null;
  command: { paras: { value: number } };
  result: { resultCode: string; resultDetail: unknown } | null;
};

/** An application with the smoke detector of docs/examples and its codec, logged in. */
export async function setUpNbIot(islet: Islet, name = "nb-iot") {
  const manage = await operator(islet);
  const created = await manage<{ appId: string; secret: string }>("POST", "/apps", { name });
  const { appId, secret } = created.body;
  const product = await manage<{ productId: string }>("POST", `/apps/${appId}/products`, smokeDetector);
  if (product.status !== 201) throw new Error(`product: ${JSON.stringify(product)}`);
  const { productId } = product.body;
  const put = await manage("PUT", `/products/${productId}/codec`, codec);
  if (put.status !== 200) throw new Error(`codec: ${JSON.stringify(put)}`);
  return { appId, secret, productId, ...(await login(islet, appId, secret)) };
}
export type NbIot = Awaited<ReturnType<typeof setUpNbIot>>;

/** The same application on a process that was started anew. */
export async function login(islet: Islet, appId: string, secret: string) {
  const manage = await operator(islet);
  const app = await application(islet, appId, secret);
  return {
    manage,
    app,
    async register(productId: string, nodeId: string, more: object = {}): Promise<Registered> {
      const { status, body } = await app<{ deviceId: string; psk: string }>(
        "POST",
        "/iocm/app/reg/v1.1.0/deviceCredentials",
        { nodeId, verifyCode: nodeId, productId, timeout: 0, ...more },
      );
      if (status !== 200) throw new Error(`register: ${JSON.stringify(body)}`);
      return { ...body, nodeId };
    },
    async history(deviceId: string) {
      const path = `/iocm/app/data/v1.2.0/deviceDataHistory?deviceId=${deviceId}&gatewayId=${deviceId}&pageSize=2000`;
      const { body } = await app<{ deviceDataHistoryDTOs: { data: Record<string, unknown> }[] }>("GET", path);
      return body.deviceDataHistoryDTOs.map(({ data }) => data);
    },
    /** 1.9.1. */
    command: (deviceId: string, value: number, more: object = {}) =>
      app<Command>("POST", "/iocm/app/cmd/v1.4.0/deviceCommands", {
        deviceId,
        command: { serviceId: "Smoke", method: "SET_ALARM", paras: { value } },
        ...more,
      }),
    /** Oldest first. */
    async commands(deviceId: string): Promise<Command[]> {
      const path = `/iocm/app/cmd/v1.4.0/deviceCommands?deviceId=${deviceId}`;
      const { body } = await app<{ data: Command[] }>("GET", path);
      return body.data.reverse();
    },
    async status(deviceId: string): Promise<string> {
      const { body } = await app<{ deviceInfo: { status: string } }>("GET", `/iocm/app/dm/v1.4.0/devices/${deviceId}`);
      return body.deviceInfo.status;
    },
  };
}

/** A device of that name on the plain port. */
export const plainDevice = ({ ready }: Islet, options: NbOptions): Promise<NbDevice> => nbDevice(ready.coap, options);

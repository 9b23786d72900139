/** Upgrades from outside: packages, tasks and simulated devices of a started process. */
import { createHash } from "node:crypto";
import roomSensor from "../../docs/examples/room-sensor.json" with { type: "json" };
import { signed, zip } from "../../src/capabilities/packages/testing/archives";
import { systemClock } from "../../src/platform/clock";
import { type Lwm2mDevice, startLwm2mDevice } from "../../src/simulator/lwm2m-device";
import { startMqttClient } from "../../src/simulator/mqtt-client";
import { SECURE_SETTINGS } from "../../src/simulator/secure-channel";
import { udpNetwork } from "../../src/simulator/udp-network";
import {
  UPGRADE_TIMES,
  type UpgradeBehaviour,
  type UpgradeSettings,
  upgradeBehaviour,
} from "../../src/simulator/upgrade/behaviour";
import { createMqttDeviceUpgrade } from "../../src/simulator/upgrade/run-mqtt-upgrade";
import { CODES, DEFAULT_TRANSMISSION, decodeMessage, OPTIONS, renderCode } from "../../src/wire/coap";
import { PSK_AES_128_CCM_8 } from "../../src/wire/dtls";
import { decodePlatformMessage } from "../../src/wire/pcp";
import { ADMIN_PASSWORD, type Islet } from "./islet";
import { login, type Registered, setUpNbIot } from "./nb-iot";
import { packageDesk, SENSOR } from "./packages";

export type Kind = "firmware" | "software";
export type Protocol = "LWM2M" | "MQTT";
export type SubOperation = {
  subOperationId: string;
  deviceId: string;
  status: string;
  detailInfo: string | null;
  extendPara: Record<"sourceVersion" | "curVersion" | "targetVersion", string | null>;
};
export type Operation = {
  status: string;
  staResult: Record<"total" | "wait" | "processing" | "success" | "fail" | "stop" | "timeout", number>;
};

const OPERATIONS = "/iodm/northbound/v1.5.0/operations";
const NAMES = {
  LWM2M: { manufacturerName: "Example", deviceType: "SmokeDetector", model: "SmokeDetector1", protocolType: "LWM2M" },
  MQTT: SENSOR,
} as const;
export const NOTIFY_TYPES = [
  "swUpgradeStateChangeNotify",
  "swUpgradeResultNotify",
  "fwUpgradeStateChangeNotify",
  "fwUpgradeResultNotify",
] as const;

/** What is short in these tests, where it is not the thing that is tested. */
export const QUICK = {
  "upgrades.wait_ms": "50",
  "upgrades.sweep_interval_ms": "50",
  "firmware.look_ms": "500",
  "lwm2m.pcp_ack_timeout_ms": "500",
  "push.retry_interval_ms": "100",
  "https.listen": "off",
};

export const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
/** What a device of object 5 reads its version from, in front of any bytes. */
export const contentOf = (version: string, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from(`version=${version}\n`), bytes]);

/** An application with a smoke detector (LwM2M, TUP) and a room sensor (MQTT), both of which can be upgraded. */
export async function setUpUpgrades(islet: Islet) {
  const its = await setUpNbIot(islet, "upgrades");
  const capability = { supportUpgrade: true, upgradeProtocolType: "PCP" };
  const sensor = structuredClone(roomSensor) as unknown as { devicetype: { devices: { omCapability: unknown }[] } };
  for (const device of sensor.devicetype.devices)
    device.omCapability = {
      upgradeCapability: capability,
      fwUpgradeCapability: { ...capability, upgradeProtocolType: "LWM2M" },
    };
  const product = await its.manage<{ productId: string }>("POST", `/apps/${its.appId}/products`, sensor);
  if (product.status !== 201) throw new Error(`product: ${JSON.stringify(product)}`);
  await packageDesk(islet, its);
  return { ...its, sensorId: product.body.productId, ...(await upgradeDesk(islet, its)) };
}
export type UpgradeSetup = Awaited<ReturnType<typeof setUpUpgrades>>;
export type UpgradeDesk = Awaited<ReturnType<typeof upgradeDesk>>;

/** The same application's way to packages and tasks, also on a process that was started anew. */
export async function upgradeDesk(islet: Islet, { appId, secret }: { appId: string; secret: string }) {
  const base = `http://${islet.ready.http}/manage/v1`;
  const signIn = await fetch(`${base}/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username: "admin", password: ADMIN_PASSWORD }),
  });
  const { token } = (await signIn.json()) as { token: string };
  const its = await login(islet, appId, secret);

  async function page(operationId: string, pageNo: number) {
    const path = `${OPERATIONS}/${operationId}/subOperations?pageNo=${pageNo}&pageSize=100`;
    const { status, body } = await its.app<{ data: SubOperation[]; totalCount: number }>("GET", path);
    if (status !== 200) throw new Error(`subOperations: ${JSON.stringify(body)}`);
    return body;
  }

  return {
    ...its,
    /** Signed with the key of `packageDesk`; the id of the package. */
    async upload(kind: Kind, protocol: Protocol, version: string, content: Uint8Array, more: object = {}) {
      const names = NAMES[protocol];
      const archive =
        kind === "firmware"
          ? zip({ "fw.bin": content })
          : zip({
              "DM/linux/UpgradeDesc.json": {
                ...{ specVersion: "1.0", packageType: "softwarePackage", fileName: "app.bin", description: "test" },
                ...{ ...names, version, ...more },
              },
              "linux/app.bin": content,
            });
      const form = new FormData();
      const fields =
        kind === "firmware"
          ? { fileType: "firmwarePackage", version, ...names, ...more }
          : { fileType: "softwarePackage" };
      for (const [name, value] of Object.entries(fields)) form.append(name, String(value));
      form.append("file", new File([Uint8Array.from(await signed(archive))], "package_signed.zip"));
      const headers = { authorization: `Bearer ${token}` };
      const response = await fetch(`${base}/apps/${appId}/packages`, { method: "POST", headers, body: form });
      const body = (await response.json()) as { fileId: string };
      if (response.status !== 201) throw new Error(`upload: ${JSON.stringify(body)}`);
      return body.fileId;
    },
    /** 1.12.4, 1.12.5: the id of the task. */
    async create(kind: Kind, fileId: string, targets: object, policy?: object): Promise<string> {
      const path = `${OPERATIONS}/${kind}Upgrade`;
      const { status, body } = await its.app<{ operationId: string }>("POST", path, {
        fileId,
        targets,
        ...(policy && { policy }),
      });
      if (status !== 200) throw new Error(`${path}: ${JSON.stringify(body)}`);
      return body.operationId;
    },
    /** 1.12.6. */
    operation: async (operationId: string) => (await its.app<Operation>("GET", `${OPERATIONS}/${operationId}`)).body,
    /** 1.12.7, all pages. */
    async subOperations(operationId: string): Promise<SubOperation[]> {
      const first = await page(operationId, 0);
      const all = [...first.data];
      for (let pageNo = 1; all.length < first.totalCount; pageNo++) all.push(...(await page(operationId, pageNo)).data);
      return all;
    },
    /** 1.7.2. */
    async subscribe(callbackUrl: string): Promise<void> {
      for (const notifyType of NOTIFY_TYPES) {
        const { status, body } = await its.app("POST", "/iodm/app/sub/v1.1.0/subscribe", { notifyType, callbackUrl });
        if (status !== 200) throw new Error(`subscribe: ${JSON.stringify(body)}`);
      }
    },
    /** What the platform shows of a device. */
    async versions(deviceId: string) {
      const { body } = await its.app<{ deviceInfo: { fwVersion: string | null; swVersion: string | null } }>(
        "GET",
        `/iocm/app/dm/v1.4.0/devices/${deviceId}`,
      );
      const { fwVersion, swVersion } = body.deviceInfo;
      return { firmware: fwVersion, software: swVersion };
    },
  };
}

export type Installed = { way: string; version: string; sha256: string };
type DeviceOptions = {
  readonly device: Registered;
  readonly behaviour?: string | UpgradeBehaviour;
  readonly settings?: Partial<UpgradeSettings>;
  readonly style?: "lwm2m" | "tup";
  readonly isSecure?: boolean;
  readonly version?: string;
  readonly random?: () => number;
  /** Sleeps when nothing moved for so long. */
  readonly awakeMs?: number;
  readonly ackTimeoutMs?: number;
  readonly command?: (payload: Uint8Array) => void;
  readonly answers?: readonly ((payload: Uint8Array) => Uint8Array | undefined)[];
  /** It has installed. */
  readonly installs?: () => void;
  /** Each datagram, as it is on the wire; "lost": it is. */
  readonly datagram?: (bytes: Uint8Array, way: "out" | "in") => "lost" | undefined;
};
const QUICK_TIMES = { ...UPGRADE_TIMES, slowPaceMs: 20, installMs: 100, restartMs: 100, answerMs: 1_000 };

const behaviourOf = (it: string | UpgradeBehaviour): UpgradeBehaviour => {
  const found = typeof it === "string" ? upgradeBehaviour(it) : it;
  if (!found) throw new Error(`no behaviour ${String(it)}`);
  return found;
};

/** A message of the platform to a plain device: the name of a PCP message, or method and path; `id` tells it from others. */
export function saidIn(datagram: Uint8Array): { name: string; id: string } {
  const { code, options, payload, messageId, token } = decodeMessage(datagram);
  const path = options.flatMap(({ number, value }) =>
    number === OPTIONS.uriPath.number ? [`/${Buffer.from(value)}`] : [],
  );
  const decoded = decodePlatformMessage(payload);
  const method = METHODS[code] ?? renderCode(code);
  const what =
    payload.length > 0 && code === CODES.put && path.join("") === "/5/0/1" && Buffer.from(payload).includes("://");
  const name = decoded.kind === "message" ? decoded.message.type : `${method} ${path.join("")}${what ? " uri" : ""}`;
  return { name, id: `${name} ${messageId} ${Buffer.from(token).toString("hex")}` };
}
const METHODS: Readonly<Record<number, string>> = { [CODES.get]: "GET", [CODES.post]: "POST", [CODES.put]: "PUT" };
const ORDERS: readonly string[] = ["executeRequest", "POST /5/0/2"];
/** What tells this message from others, if it is the order to install: PCP 23, or the execution of /5/0/2. */
function orderIn(datagram: Uint8Array): string | undefined {
  const { name, id } = saidIn(datagram);
  return ORDERS.includes(name) ? id : undefined;
}

/** A simulated device over UDP at this address, plain or with DTLS. */
export function lwm2mDevice(address: string, options: DeviceOptions) {
  const {
    device,
    behaviour = "good",
    style = "lwm2m",
    version = "1.0.0",
    isSecure = false,
    random = Math.random,
  } = options;
  const [host = "", port = ""] = address.split(/:(?=\d+$)/);
  const installed: Installed[] = [];
  const failures: string[] = [];
  const orders = new Set<string>();
  const udp = udpNetwork({ host, port: Number(port) });
  const simulated: Lwm2mDevice = startLwm2mDevice({
    ...{ nodeId: device.nodeId, psk: Uint8Array.fromHex(device.psk), clock: systemClock, random },
    network: {
      async open(local, receive) {
        const socket = await udp.open(local, (bytes) => {
          if (options.datagram?.(bytes, "in") === "lost") return;
          const order = isSecure ? undefined : orderIn(bytes);
          if (order !== undefined) orders.add(order);
          receive(bytes);
        });
        return {
          port: socket.port,
          close: socket.close,
          send(bytes) {
            if (options.datagram?.(bytes, "out") !== "lost") socket.send(bytes);
          },
        };
      },
    },
    settings: {
      ...{ style, queueMode: options.awakeMs !== undefined, awakeMs: options.awakeMs ?? 60_000 },
      ...{ lifetimeSeconds: 86_400, confirmable: true, observeWaitMs: 10_000, rebootMs: 100, logBytes: 10 },
      transmission: { ...DEFAULT_TRANSMISSION, ackTimeoutMs: options.ackTimeoutMs ?? 500, maxRetransmit: 6 },
      secure: isSecure ? { ...SECURE_SETTINGS, suites: [PSK_AES_128_CCM_8] } : undefined,
      answers: options.answers ?? [],
      upgrade: {
        behaviour: behaviourOf(behaviour),
        times: QUICK_TIMES,
        ...options.settings,
        version,
        servers: {
          // Whatever address the platform gives: behind a proxy it is not the one that was dialled.
          isOwn: (url) => url.protocol === (isSecure ? "coaps:" : "coap:"),
          open: (server) => udpNetwork(server),
          blockSize: 512,
          httpPieceBytes: 1_024,
        },
        on: {
          installed(way, it, sum) {
            installed.push({ way, version: it, sha256: sum });
            options.installs?.();
          },
        },
      },
    },
    on: {
      registered() {},
      registrationFailed: (reason) => void failures.push(reason),
      updated() {},
      handshake() {},
      command: (payload) => options.command?.(payload),
      answered() {},
      duplicate() {},
      rebooted() {},
      slept() {},
      moved() {},
    },
  });
  return {
    device,
    installed,
    failures,
    /** How often it was told to install. A message that comes again is the same one, also for a device that has restarted. Plain only. */
    get orders() {
      return orders.size;
    },
    register: simulated.register,
    report: simulated.report,
    get isRegistered() {
      return simulated.isRegistered;
    },
    [Symbol.asyncDispose]: () => simulated.stop("quietly"),
  };
}
export type UpgradedLwm2m = ReturnType<typeof lwm2mDevice>;

type MqttOptions = {
  readonly device: { deviceId: string; secret: string };
  readonly behaviour?: string | UpgradeBehaviour;
  readonly settings?: Partial<UpgradeSettings>;
  readonly version?: string;
  readonly pieceBytes?: number;
  readonly heard?: (eventType: string) => void;
  readonly said?: (text: string) => void;
  readonly installs?: () => void;
};

/** A simulated device over MQTT. Resolves when it is connected and listens. */
export async function mqttDevice(address: string, options: MqttOptions) {
  const { device, behaviour = "good", version = "1.0.0", pieceBytes = 1_024 } = options;
  const [host = "", port = ""] = address.split(/:(?=\d+$)/);
  const installed: Installed[] = [];
  const online = Promise.withResolvers<void>();
  const upgrade = createMqttDeviceUpgrade(
    {
      behaviour: behaviourOf(behaviour),
      times: QUICK_TIMES,
      ...options.settings,
      version,
      https: { pieceBytes, rejectUnauthorized: false },
    },
    {
      deviceId: device.deviceId,
      clock: systemClock,
      publish(topic, text) {
        options.said?.(text);
        return client.publish(topic, text);
      },
      drop: () => client.drop(),
      on: {
        installed(way, it, sum) {
          installed.push({ way, version: it, sha256: sum });
          options.installs?.();
        },
      },
    },
  );
  const { listener } = upgrade;
  const client = startMqttClient({
    address: { host, port: Number(port) },
    credentials: device,
    clock: systemClock,
    reconnectMs: 50,
    maxReconnectMs: 500,
    also: {
      topic: listener.topic,
      received(payload) {
        for (const { event_type } of JSON.parse(Buffer.from(payload).toString()).services) options.heard?.(event_type);
        listener.received(payload);
      },
    },
    on: {
      online() {
        online.resolve();
        upgrade.online();
      },
      offline: () => upgrade.offline(),
    },
  });
  await online.promise;
  return {
    device,
    installed,
    client,
    [Symbol.dispose]() {
      upgrade.end();
      client.stop();
    },
  };
}
export type UpgradedMqtt = Awaited<ReturnType<typeof mqttDevice>>;

/** A device of the MQTT product. */
export async function registerSensor({ app, sensorId }: Pick<UpgradeSetup, "app" | "sensorId">, nodeId: string) {
  const { body } = await app<{ deviceId: string; secret: string }>("POST", "/iocm/app/reg/v2.0.0/deviceCredentials", {
    ...{ deviceInfo: { nodeId }, productId: sensorId, mqttConnect: true },
  });
  if (body.deviceId === undefined) throw new Error(`register: ${JSON.stringify(body)}`);
  return body;
}

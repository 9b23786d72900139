import { expect, setDefaultTimeout, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { setUp } from "../support/api";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, credentials, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(120_000);

const SEED = Number(process.env.SEED ?? crypto.getRandomValues(new Uint32Array(1))[0]);
const CONNECTIONS = 400;
const REQUESTS = 600;

test(`random bytes into every door hurt nobody (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = <T>(of: readonly T[]) => of[below(of.length)] as T;
  using folder = temporaryFolder();
  using receiver = startCallbackReceiver();
  const settings = { "mqtt.connects_per_second_per_address": "100000", "mqtt.connect_burst_per_address": "100000" };
  const islet = await startIslet({ data: folder.path, settings });
  await using _ = islet;
  const it = await setUp(islet);
  await it.app("POST", "/iocm/app/sub/v1.2.0/subscriptions", {
    notifyType: "deviceDataChanged",
    callbackUrl: receiver.url("/d"),
  });
  const bystander = await it.register("bystander");
  const device = await connectDevice(islet, bystander);
  const victim = await it.register("victim");

  const noise = (length: number) => Uint8Array.from({ length }, () => below(256));
  /** Bytes that look right for a while: the start of a proper talk with some of them changed. */
  function spoiled(bytes: Uint8Array): Uint8Array {
    const copy = Uint8Array.from(bytes);
    for (let flips = 1 + below(8); flips > 0; flips--) copy[below(copy.length)] = below(256);
    return copy.subarray(0, 1 + below(copy.length));
  }
  const http = (text: string) => new TextEncoder().encode(text);
  const login = JSON.stringify({ appId: it.appId, secret: "x" });
  const TALKS = {
    mqtt: [connectPacket(credentials(victim.deviceId, victim.secret, new Date()), dataTopic(victim.deviceId))],
    http: [
      http(
        `POST /iocm/app/sec/v1.1.0/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${login.length}\r\n\r\n${login}`,
      ),
      http(
        "GET /iocm/app/dm/v1.4.0/devices?pageNo=0 HTTP/1.1\r\nHost: x\r\napp_key: a\r\nAuthorization: Bearer b\r\n\r\n",
      ),
      http('POST /manage/v1/sessions HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a":\r\n0\r\n\r\n'),
    ],
  };
  const DOORS = [
    { address: islet.ready.mqtt, secure: false, talks: TALKS.mqtt },
    { address: islet.ready.mqtts, secure: true, talks: TALKS.mqtt },
    { address: islet.ready.mqtts, secure: false, talks: TALKS.mqtt }, // no TLS at all
    { address: islet.ready.http, secure: false, talks: TALKS.http },
    { address: islet.ready.https, secure: true, talks: TALKS.http },
    { address: islet.ready.https, secure: false, talks: TALKS.http },
  ];

  function intrude(): Promise<void> {
    const { address, secure, talks } = pick(DOORS);
    const [host, port] = address.split(":") as [string, string];
    const bytes = below(3) === 0 ? noise(1 + below(2_000)) : spoiled(pick(talks));
    const manner = below(3);
    return new Promise((resolve) => {
      const options = { host, port: Number(port) };
      const socket = secure ? connectTls({ ...options, rejectUnauthorized: false }) : connectTcp(options);
      socket.on("error", () => {});
      socket.on("close", () => resolve());
      socket.on("data", () => {});
      socket.once(secure ? "secureConnect" : "connect", () => {
        if (manner === 0) socket.end(bytes);
        else socket.write(bytes, () => (manner === 1 ? socket.resetAndDestroy() : socket.destroySoon()));
      });
    });
  }

  const PATHS = [
    "/iocm/app/sec/v1.1.0/login",
    "/iocm/app/reg/v2.0.0/deviceCredentials",
    `/iocm/app/dm/v1.4.0/devices/${bystander.deviceId}`,
    "/iocm/app/dm/v1.4.0/devices",
    "/iocm/app/sub/v1.2.0/subscriptions",
    "/iocm/app/cmd/v1.4.0/deviceCommands",
    "/iocm/app/data/v1.2.0/deviceDataHistory",
    `/iocm/app/shadow/v1.5.0/devices/${bystander.deviceId}`,
    "/manage/v1/apps",
    "/metrics",
    "/nowhere",
  ];
  const KEYS = [
    "deviceId",
    "gatewayId",
    "notifyType",
    "callbackUrl",
    "pageNo",
    "pageSize",
    "command",
    "header",
    "nodeId",
    "__proto__",
  ];
  function anyValue(depth = 0): unknown {
    const kind = below(depth > 3 ? 5 : 7);
    if (kind === 0) return null;
    if (kind === 1) return below(2) === 0;
    if (kind === 2) return (random() - 0.5) * 10 ** below(20);
    if (kind === 3) return String.fromCharCode(...Array.from({ length: below(30) }, () => below(0x10000)));
    if (kind === 4) return pick(KEYS);
    if (kind === 5) return Array.from({ length: below(5) }, () => anyValue(depth + 1));
    return Object.fromEntries(Array.from({ length: below(5) }, () => [pick(KEYS), anyValue(depth + 1)]));
  }
  const faults: unknown[] = [];
  async function request(): Promise<void> {
    const method = pick(["GET", "POST", "PUT", "DELETE", "PATCH"]);
    const query =
      below(2) === 0
        ? ""
        : `?${pick(KEYS)}=${encodeURIComponent(JSON.stringify(anyValue()).slice(0, 80).toWellFormed())}`;
    const path = pick(PATHS);
    if (method === "DELETE" || (method === "PUT" && path.includes(bystander.deviceId))) return; // the bystander stays as it is
    const body = method === "GET" ? undefined : anyValue();
    try {
      const { status } = await it.app(method, path + query, body);
      if (status >= 500) faults.push([method, path + query, body, status]);
    } catch (error) {
      if (!(error instanceof SyntaxError)) faults.push([method, path + query, body, String(error)]); // no JSON: /metrics
    }
  }

  const REPORTS = 100;
  const reports = (async () => {
    for (let battery = 0; battery < REPORTS; battery++)
      await device.publishAsync(dataTopic(bystander.deviceId), report("Climate", { battery }), { qos: 1 });
  })();
  const inTens = async (count: number, run: () => Promise<void>) => {
    for (let done = 0; done < count; done += 10) await Promise.all(Array.from({ length: 10 }, run));
  };
  await Promise.all([reports, inTens(CONNECTIONS, intrude), inTens(REQUESTS, request)]);

  expect(faults).toEqual([]);
  await eventually(
    () => receiver.received.length,
    (length) => length >= REPORTS,
  );
  expect(device.connected).toBe(true);
  // It did get behind the doors.
  const metrics = await (await fetch(`http://${islet.ready.http}/metrics`)).text();
  const ended = [...metrics.matchAll(/^islet_mqtt_violations_total\{[^}]*\} (\d+)$/gm)];
  expect(ended.reduce((total, [, count]) => total + Number(count), 0)).toBeGreaterThan(10);
  expect((await fetch(`http://${islet.ready.http}/healthz`)).status).toBe(200);
  expect(islet.errors).not.toMatch(/"level":"error"/);
  await device.endAsync();
  expect(await islet.stop()).toBe(0);
});

/** CONNECT and a PUBLISH with QoS 1 behind it. */
function connectPacket(
  { clientId, username, password }: Record<"clientId" | "username" | "password", string>,
  topic: string,
): Uint8Array {
  const text = (value: string) => [...u16(Buffer.byteLength(value)), ...Buffer.from(value)];
  const u16 = (value: number) => [value >> 8, value & 0xff];
  const packet = (first: number, body: number[]) => {
    const length: number[] = [];
    for (let rest = body.length; ; ) {
      const byte = rest & 0x7f;
      rest >>= 7;
      length.push(rest > 0 ? byte | 0x80 : byte);
      if (rest === 0) break;
    }
    return [first, ...length, ...body];
  };
  const connect = packet(0x10, [
    ...text("MQTT"),
    4,
    0xc2,
    ...u16(30),
    ...text(clientId),
    ...text(username),
    ...text(password),
  ]);
  const payload = [...Buffer.from(report("Climate", { temperature: 20 }))];
  return Uint8Array.from([...connect, ...packet(0x32, [...text(topic), ...u16(1), ...payload])]);
}

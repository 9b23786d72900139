import { expect, setDefaultTimeout, test } from "bun:test";
import type { Socket } from "node:net";
import { issueAuthority, issueServer } from "../../src/platform/certificates/issue";
import { operator, type Setup, setUp } from "../support/api";
import { startBareReceiver } from "../support/bare-receiver";
import { startCallbackReceiver } from "../support/callback-receiver";
import { connectDevice, dataTopic, report } from "../support/device";
import { eventually } from "../support/eventually";
import { type Islet, startIslet, temporaryFolder } from "../support/islet";

setDefaultTimeout(60_000);

const SUBSCRIPTIONS = "/iocm/app/sub/v1.2.0/subscriptions";
/** The rules of the document, faster. */
const FAST = {
  "push.answer_timeout_ms": "400",
  "push.retry_interval_ms": "150",
  "push.keep_ms": "60000",
  "push.max_failed_retries": "4",
  "push.probe_interval_ms": "300",
};

type Target = {
  targetNo: number;
  callbackUrl: string;
  state: string;
  waiting: number;
  deadLetters: number;
  failedRetries: number;
};
type Attempt = { reason: string; status?: number; attempt: number; latencyMs: number; notifyType: string };
type DeadLetter = { id: number; body: string; reason: string; attempts: number };

async function reporting(islet: Islet, it: Setup, callbackUrl: string, notifyType = "deviceDataChanged") {
  const { status } = await it.app("POST", SUBSCRIPTIONS, { notifyType, callbackUrl });
  expect(status).toBe(201);
  const registered = await it.register(`device-${it.appId}`);
  const device = await connectDevice(islet, registered);
  return {
    registered,
    device,
    report: (battery: number) =>
      device.publishAsync(
        dataTopic(registered.deviceId),
        report("Climate", { temperature: 20, humidity: 40, battery }),
        { qos: 1 },
      ),
  };
}
const targetOf = async ({ manage, appId }: Setup): Promise<Target> =>
  (await manage<{ items: Target[] }>("GET", `/apps/${appId}/push-targets`)).body.items[0] as Target;
const attemptsOf = async ({ manage }: Setup, { targetNo }: Target): Promise<Attempt[]> =>
  (await manage<{ items: Attempt[] }>("GET", `/push-targets/${targetNo}/attempts?pageSize=1000`)).body.items;
const lettersOf = async ({ manage }: Setup, { targetNo }: Target): Promise<DeadLetter[]> =>
  (await manage<{ items: DeadLetter[] }>("GET", `/push-targets/${targetNo}/dead-letters?pageSize=1000`)).body.items;
const batteryOf = (body: Record<string, unknown>) => (body.service as { data: { battery: number } }).data.battery;

test("501 to 504 and silence are tried again, in order; other answers are given up and can be replayed", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: FAST });
  const it = await setUp(islet);
  let answers: (number | "silence")[] = [];
  const seen: string[] = [];
  using receiver = startCallbackReceiver(() => {
    const answer = answers.shift() ?? 200;
    seen.push(String(answer));
    return answer === "silence"
      ? (new Promise(() => {}) as unknown as Response)
      : new Response(null, { status: answer });
  });
  const { report, device } = await reporting(islet, it, receiver.url("/d"));

  answers = [503, 501, "silence"];
  await report(1);
  await report(2);
  await receiver.until((body) => batteryOf(body) === 2);
  expect(receiver.received.map(({ body }) => batteryOf(body))).toEqual([1, 2]); // the second waited for the first
  const target = await targetOf(it);
  const log = await eventually(
    () => attemptsOf(it, target),
    ({ length }) => length >= 5,
  );
  expect(log.reverse().map(({ reason, status, attempt }) => [reason, status, attempt])).toEqual([
    ["status_503", 503, 1],
    ["status_501", 501, 2],
    ["timeout", undefined, 3],
    ["delivered", 200, 4],
    ["delivered", 200, 1],
  ]);
  expect(log[2]?.latencyMs).toBeGreaterThanOrEqual(399);
  expect(await targetOf(it)).toMatchObject({ state: "valid", waiting: 0, failedRetries: 0 });

  answers = [404, 302, 500];
  for (const battery of [3, 4, 5]) await report(battery);
  const letters = await eventually(
    () => lettersOf(it, target),
    ({ length }) => length === 3,
  );
  expect(letters.map(({ reason, attempts, body }) => [reason, attempts, batteryOf(JSON.parse(body))])).toEqual(
    expect.arrayContaining([3, 4, 5].map((battery) => ["rejected", 1, battery])),
  );
  expect(receiver.received).toHaveLength(2);
  const replayed = await it.manage("POST", `/push-targets/${target.targetNo}/replay`, { ids: "all" });
  expect(replayed).toEqual({ status: 200, body: { replayed: 3 } });
  await receiver.until((body) => batteryOf(body) === 5);
  expect(receiver.received.slice(2).map(({ body }) => batteryOf(body))).toEqual([3, 4, 5]);
  await eventually(
    () => targetOf(it),
    ({ deadLetters, waiting }) => deadLetters === 0 && waiting === 0,
  );
  await device.endAsync();
});

test("an address that fails for long becomes invalid, loses what is new, and comes back by a probe", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: { ...FAST, "push.probe_interval_ms": "1500" } });
  const it = await setUp(islet);
  let status = 503;
  using receiver = startCallbackReceiver(() => new Response(null, { status }));
  const { report, device } = await reporting(islet, it, receiver.url("/d"));
  await report(1);
  const target = await eventually(
    () => targetOf(it),
    ({ state }) => state === "invalid",
  );
  await eventually(
    () => attemptsOf(it, target),
    ({ length }) => length === 5,
  ); // and push.max_failed_retries
  await report(2);
  const letters = await eventually(
    () => lettersOf(it, target),
    ({ length }) => length === 1,
  );
  expect(letters.map(({ reason, attempts }) => [reason, attempts])).toEqual([["address_invalid", 0]]);
  status = 200;
  await eventually(
    () => targetOf(it),
    ({ state }) => state === "valid",
  );
  await receiver.until((body) => batteryOf(body) === 1); // was kept meanwhile
  await report(3);
  await receiver.until((body) => batteryOf(body) === 3);
  await it.manage("POST", `/push-targets/${target.targetNo}/replay`, { ids: letters.map(({ id }) => id) });
  await receiver.until((body) => batteryOf(body) === 2);
  await device.endAsync();
});

test("each device's pushes come in order, while those of several devices are under way at once", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  const got = new Map<string, number[]>();
  let underWay = 0;
  let mostUnderWay = 0;
  let total = 0;
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request) {
      mostUnderWay = Math.max(mostUnderWay, ++underWay);
      const body = (await request.json()) as Record<string, unknown>;
      await Bun.sleep((total++ * 7) % 20); // answers in another order than requests came
      const deviceId = String(body.deviceId);
      got.set(deviceId, [...(got.get(deviceId) ?? []), batteryOf(body)]);
      underWay--;
      return new Response(null, { status: 200 });
    },
  });
  const callbackUrl = `http://127.0.0.1:${server.port}/d`;
  await it.app("POST", SUBSCRIPTIONS, { notifyType: "deviceDataChanged", callbackUrl });
  const numbers = Array.from({ length: 30 }, (_, index) => index);
  const devices = await Promise.all(
    Array.from({ length: 6 }, async (_, index) => {
      const registered = await it.register(`device-${index}`);
      return { ...registered, client: await connectDevice(islet, registered) };
    }),
  );
  await Promise.all(
    devices.flatMap(({ deviceId, client }) =>
      numbers.map((battery) => client.publishAsync(dataTopic(deviceId), report("Climate", { battery }), { qos: 1 })),
    ),
  );
  await eventually(
    () => [...got.values()].flat().length,
    (length) => length === devices.length * numbers.length,
  );
  for (const { deviceId } of devices) expect(got.get(deviceId)).toEqual(numbers);
  expect(mostUnderWay).toBeGreaterThan(1);
  for (const { client } of devices) await client.endAsync();
});

test("a message is given up when its time is over", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({
    data: folder.path,
    settings: { ...FAST, "push.keep_ms": "1000", "push.max_failed_retries": "1000" },
  });
  const it = await setUp(islet);
  using receiver = startCallbackReceiver(() => new Response(null, { status: 504 }));
  const { report, device } = await reporting(islet, it, receiver.url("/d"));
  await report(1);
  const target = await eventually(
    () => targetOf(it),
    (found) => found !== undefined,
  );
  const [letter] = await eventually(
    () => lettersOf(it, target),
    ({ length }) => length === 1,
  );
  expect(letter?.reason).toBe("expired");
  expect(letter?.attempts).toBeGreaterThanOrEqual(2);
  await device.endAsync();
});

const HEALTHY = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
const MISBEHAVIOURS: Record<string, (socket: Socket) => void> = {
  hangs: () => {},
  resets: (socket) => void socket.resetAndDestroy(),
  closes: (socket) => void socket.destroy(),
  "answers garbage": (socket) => void socket.end("\u0000\u0001SSH-2.0-no HTTP at all\r\n\r\n"),
  "answers 10 MB": (socket) =>
    void socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${10 * 2 ** 20}\r\n\r\n${"x".repeat(10 * 2 ** 20)}`),
  "answers without end": (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const drip = setInterval(() => socket.write("1\r\nx\r\n"), 50);
    socket.on("close", () => clearInterval(drip));
  },
  "has endless headers": (socket) => {
    socket.write("HTTP/1.1 200 OK\r\n");
    const drip = setInterval(() => socket.write(`X-${Math.random()}: ${"y".repeat(8_000)}\r\n`), 5);
    socket.on("close", () => clearInterval(drip));
  },
  redirects: (socket) => void socket.write("HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"),
  "answers twice": (socket) => void socket.write(HEALTHY + HEALTHY),
};

const OUTCOMES: Record<string, string> = {
  resets: "reset",
  closes: "reset",
  "answers garbage": "bad_response",
  "answers 10 MB": "delivered", // the status line was there in time
  "answers without end": "delivered",
  "has endless headers": "bad_response",
  redirects: "redirected",
  "answers twice": "delivered",
};

test("receivers that misbehave in every way hold nobody else up", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  using healthy = startCallbackReceiver();
  const good = await setUp(islet, "healthy");
  const { device, report } = await reporting(islet, good, healthy.url("/d"));
  const opened = new DisposableStack();
  using _ = opened;
  const others = await Promise.all(
    Object.entries(MISBEHAVIOURS).map(async ([name, talk]) => {
      const receiver = opened.use(await startBareReceiver(talk));
      const setup = await setUp(islet, name);
      return { name, setup, receiver, ...(await reporting(islet, setup, receiver.url("/d"))) };
    }),
  );
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  await Promise.all(others.map(({ report }) => Promise.all(numbers.map(report))));
  const since = performance.now();
  await Promise.all(numbers.map(report));
  await eventually(
    () => healthy.received.length,
    (length) => length === 50,
  );
  const took = performance.now() - since;
  console.log(`50 pushes beside ${others.length} receivers that misbehave: ${took.toFixed(0)} ms`);
  expect(healthy.received.map(({ body }) => batteryOf(body))).toEqual(numbers);
  for (const { name, setup, receiver } of others) {
    const target = await eventually(
      () => targetOf(setup),
      (found) => found !== undefined,
    );
    if (name === "hangs") {
      expect(receiver.requests).toBe(1); // one device: one at a time; and it still hangs
      expect(await attemptsOf(setup, target)).toEqual([]);
      continue;
    }
    const log = await eventually(
      () => attemptsOf(setup, target),
      ({ length }) => length > 0,
    );
    expect([name, log.at(-1)?.reason]).toEqual([name, OUTCOMES[name]]);
  }
  expect((await fetch(`http://${islet.ready.http}/healthz`)).status).toBe(200);
  expect(islet.errors).not.toContain('"level":"error"');
  for (const { device } of others) await device.endAsync(true);
  await device.endAsync();
});

test("https with the application's own CA: trusted, its name checked, unbound with its last subscription", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path, settings: FAST });
  const it = await setUp(islet);
  const validity = { notBefore: Date.now() - 60_000, notAfter: Date.now() + 3_600_000 };
  const authority = await issueAuthority(validity);
  const identity = await issueServer(authority, ["receiver.example"], validity);
  const received: number[] = [];
  using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { cert: identity.certificate, key: identity.key },
    async fetch(request) {
      received.push(batteryOf((await request.json()) as Record<string, unknown>));
      return new Response(null, { status: 200 });
    },
  });
  const hostPort = `127.0.0.1:${server.port}`;
  const { report, device } = await reporting(islet, it, `https://${hostPort}/d`);
  const lastReason = async () => {
    const target = await targetOf(it);
    return target ? (await attemptsOf(it, target))[0]?.reason : undefined;
  };
  const certificate = (more: object) =>
    it.manage("POST", `/apps/${it.appId}/push-certificates`, { hostPort, ca: authority.certificate, ...more });

  await report(1);
  await eventually(lastReason, (reason) => reason === "tls_untrusted");
  expect((await certificate({ checkCommonName: true, commonName: "other.example" })).status).toBe(201);
  await eventually(lastReason, (reason) => reason === "tls_name");
  expect((await certificate({ checkCommonName: true, commonName: "receiver.example", sni: true })).status).toBe(201);
  await eventually(
    () => received.length,
    (length) => length > 0,
  );
  expect(received).toEqual([1]);
  expect(await it.manage("POST", `/apps/${it.appId}/push-certificates`, { hostPort, ca: "no PEM" })).toMatchObject({
    status: 400,
  });

  expect((await it.app("DELETE", SUBSCRIPTIONS)).status).toBe(204);
  expect((await it.manage("GET", `/apps/${it.appId}/push-certificates`)).body).toMatchObject({ total: 0 });
  await device.endAsync();
});

test("what was not delivered survives a crash and a stop, in order", async () => {
  using folder = temporaryFolder();
  let status = 503;
  using receiver = startCallbackReceiver(() => new Response(null, { status }));
  const settings = { ...FAST, "push.max_failed_retries": "1000" }; // stays valid however long a start takes
  let islet = await startIslet({ data: folder.path, settings });
  const it = await setUp(islet);
  const { report, device, registered } = await reporting(islet, it, receiver.url("/d"));
  await report(1);
  await report(2);
  await islet.crash();
  await device.endAsync(true);

  islet = await startIslet({ data: folder.path, settings });
  const again = await connectDevice(islet, registered);
  await again.publishAsync(dataTopic(registered.deviceId), report3, { qos: 1 });
  await again.endAsync();
  expect(await islet.stop()).toBe(0);

  status = 200;
  islet = await startIslet({ data: folder.path, settings });
  await receiver.until((body) => batteryOf(body) === 3);
  expect(receiver.received.map(({ body }) => batteryOf(body))).toEqual([1, 2, 3]);
  expect(await islet.stop()).toBe(0);
});
const report3 = report("Climate", { temperature: 20, humidity: 40, battery: 3 });

test("without a subscription, with push off or history off nothing is pushed", async () => {
  using folder = temporaryFolder();
  await using islet = await startIslet({ data: folder.path });
  const it = await setUp(islet);
  using receiver = startCallbackReceiver();
  const { report, device } = await reporting(islet, it, receiver.url("/d"));
  const change = async (patch: object) =>
    expect((await it.manage("PATCH", `/apps/${it.appId}`, patch)).status).toBe(200);
  await change({ pushEnabled: false });
  await report(1);
  await change({ pushEnabled: true, storeHistory: false });
  await report(2);
  await change({ storeHistory: true });
  await report(3);
  await receiver.until((body) => batteryOf(body) === 3);
  expect(receiver.received.map(({ body }) => batteryOf(body))).toEqual([3]);
  expect((await it.app("DELETE", SUBSCRIPTIONS)).status).toBe(204);
  await report(4);
  expect(
    (await it.app("POST", SUBSCRIPTIONS, { notifyType: "deviceDatasChanged", callbackUrl: receiver.url("/e") })).status,
  ).toBe(201);
  await report(5);
  await receiver.until(({ notifyType }) => notifyType === "deviceDatasChanged");
  expect(receiver.received).toHaveLength(2);
  await device.endAsync();
});

test("a stop does not wait for a receiver that hangs, and what it did not answer is sent again", async () => {
  using folder = temporaryFolder();
  let hangs = true;
  using receiver = await startBareReceiver((socket) => void (hangs || socket.write(HEALTHY)));
  let islet = await startIslet({ data: folder.path, settings: { "push.stop_grace_ms": "200" } });
  const it = await setUp(islet);
  const { report, device } = await reporting(islet, it, receiver.url("/d"));
  await report(1);
  await eventually(
    () => receiver.requests,
    (requests) => requests === 1,
  );
  const since = performance.now();
  expect(await islet.stop()).toBe(0);
  expect(performance.now() - since).toBeLessThan(10_000); // what the contract of the process promises
  device.end(true);

  hangs = false;
  islet = await startIslet({ data: folder.path });
  await eventually(
    () => receiver.requests,
    (requests) => requests === 2,
  );
  expect(await islet.stop()).toBe(0);
});

test("an invalid address is still invalid after a crash, and is probed back", async () => {
  using folder = temporaryFolder();
  let status = 502;
  using receiver = startCallbackReceiver(() => new Response(null, { status }));
  const settings = { ...FAST, "push.probe_interval_ms": "60000" };
  let islet = await startIslet({ data: folder.path, settings });
  const it = await setUp(islet);
  const { report, device } = await reporting(islet, it, receiver.url("/d"));
  await report(1);
  await eventually(
    () => targetOf(it),
    (target) => target?.state === "invalid",
  );
  await islet.crash();
  device.end(true);

  islet = await startIslet({ data: folder.path, settings });
  const after = { ...it, manage: await operator(islet) };
  expect(await targetOf(after)).toMatchObject({ state: "invalid", waiting: 1 });
  await islet.crash();
  status = 200;
  islet = await startIslet({ data: folder.path, settings: { ...settings, "push.probe_interval_ms": "100" } });
  await receiver.until((body) => batteryOf(body) === 1);
  const healed = { ...it, manage: await operator(islet) };
  await eventually(
    () => targetOf(healed),
    (target) => target.state === "valid" && target.waiting === 0,
  );
  expect(await islet.stop()).toBe(0);
});

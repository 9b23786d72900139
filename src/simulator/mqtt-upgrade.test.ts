import { afterEach, beforeEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { type ManualClock, manualClock } from "../platform/testing/manual-clock";
import { type MqttClient, startMqttClient } from "./mqtt-client";
import { startStubBroker } from "./testing/stub-broker";
import { UPGRADE_TIMES, upgradeBehaviour } from "./upgrade/behaviour";
import { createMqttDeviceUpgrade, type MqttDeviceUpgrade } from "./upgrade/run-mqtt-upgrade";

const PACKAGE = Buffer.alloc(10_000, "islet");
const SHA256 = createHash("sha256").update(PACKAGE).digest("hex");
const DOWN = "$oc/devices/d_1/sys/events/down";

let clock: ManualClock;
let broker: ReturnType<typeof startStubBroker>;
let server: ReturnType<typeof serve>;
let client: MqttClient;
let upgrade: MqttDeviceUpgrade;
let installed: string[];
beforeEach(() => {
  clock = manualClock();
  broker = startStubBroker();
  server = serve();
  installed = [];
});
afterEach(async () => {
  upgrade.end();
  client.stop();
  broker.stop();
  await server.stop(true);
});

/** Ranges of the package for who has the token. */
function serve() {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      if (request.headers.get("authorization") !== "Bearer t1") return new Response("", { status: 401 });
      const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec(request.headers.get("range") ?? "") ?? [];
      const end = Math.min(Number(to) + 1, PACKAGE.length);
      return new Response(new Uint8Array(PACKAGE.subarray(Number(from), end)), {
        status: 206,
        headers: { "Content-Range": `bytes ${from}-${end - 1}/${PACKAGE.length}` },
      });
    },
  });
}

async function connect(behaviour: string): Promise<void> {
  const found = upgradeBehaviour(behaviour);
  if (!found) throw new Error(behaviour);
  const online = Promise.withResolvers<void>();
  upgrade = createMqttDeviceUpgrade(
    { behaviour: found, times: UPGRADE_TIMES, version: "1.0.0", https: { pieceBytes: 4_096 } },
    {
      deviceId: "d_1",
      clock,
      publish: (topic, text) => client.publish(topic, text),
      drop: () => client.drop(),
      on: { installed: (_way, version, sha256) => installed.push(`${version} ${sha256}`) },
    },
  );
  client = startMqttClient({
    address: broker.address,
    credentials: { deviceId: "d_1", secret: "0123456789abcdef0123" },
    clock,
    random: () => 0,
    keepAliveSeconds: 0, // time flies here, and the broker answers in its own
    also: upgrade.listener,
    on: {
      online() {
        online.resolve();
        upgrade.online();
      },
      offline: () => upgrade.offline(),
    },
  });
  await online.promise;
}

/** Sockets take real time: the limit is that of the test. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await clock.advance(100);
}

function tell(event_type: string, paras: unknown = {}): void {
  const services = [{ service_id: "$ota", event_type, event_time: "20260101T000000Z", paras }];
  const payload = Buffer.from(JSON.stringify({ services }));
  broker.send({ type: "publish", topic: DOWN, payload, qos: 1, dup: false, retain: false, packetId: 7 });
}
const notice = (access_token: string) => ({
  version: "2.0.0",
  url: `${server.url}package`,
  file_size: PACKAGE.length,
  file_name: "p",
  access_token,
  expires: 86_400,
  sign: SHA256,
});
const said = () =>
  broker.of("publish").map(({ topic, payload }) => {
    expect(topic).toBe("$oc/devices/d_1/sys/events/up");
    return JSON.parse(Buffer.from(payload).toString()).services[0];
  });

test("asked for its version, told of a new one, it installs it and says so after its restart", async () => {
  await connect("good");
  expect(broker.of("subscribe")[0]?.subscriptions).toEqual([{ filter: DOWN, qos: 1 }]);
  tell("version_query");
  await broker.came("publish", 1);
  expect(said()[0]).toMatchObject({
    event_type: "version_report",
    paras: { fw_version: "1.0.0", sw_version: "1.0.0" },
  });
  tell("firmware_upgrade", notice("t1"));
  await broker.came("publish", 3); // 25 and 75 of 100
  await until(() => installed.length > 0);
  expect(installed).toEqual([`2.0.0 ${SHA256}`]);
  await until(() => broker.of("subscribe").length === 2);
  tell("version_query"); // it may be connected and not up yet: answered later
  await until(() => said().length === 5);
  expect(said().slice(3, 4)).toMatchObject([
    { event_type: "upgrade_progress_report", paras: { result_code: 0, progress: 100, version: "2.0.0" } },
  ]);
});

test("a token that is refused is a download that failed", async () => {
  await connect("good");
  tell("software_upgrade", notice("old"));
  await broker.came("publish", 1);
  expect(said()[0].paras).toEqual({ result_code: 6, version: "1.0.0" });
  expect(installed).toEqual([]);
});

test("a low battery", async () => {
  await connect("low-battery");
  tell("firmware_upgrade", notice("t1"));
  await broker.came("publish", 1);
  expect(said()[0].paras).toEqual({ result_code: 4, version: "1.0.0" });
});

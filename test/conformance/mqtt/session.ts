import { type ConnectOptions, connack, connect } from "./packets";
import { connectRaw, type RawClient } from "./raw-client";
import { METER, type StubDevice, type StubPlatform } from "./stub-platform";

/** A client whose CONNECT was accepted. */
export async function loggedIn(
  platform: StubPlatform,
  device: StubDevice = METER,
  options: ConnectOptions & { present?: 0 | 1 } = {},
): Promise<RawClient> {
  const client = await connectRaw(platform.port);
  client.send(connect(device, options));
  await client.expect(connack(0, options.present ?? 0));
  return client;
}

/** Sends bytes that break the protocol: this connection ends without an answer, another one does not notice. */
export async function expectViolation(platform: StubPlatform, bytes: Uint8Array, reason: string, first = true) {
  const bystander = await loggedIn(platform, BYSTANDER);
  const client = first ? await connectRaw(platform.port) : await loggedIn(platform);
  client.send(bytes);
  await client.expectClosed();
  await bystander.expectAlive();
  bystander.vanish();
  const counted = platform.metrics.render().split("\n");
  const line = `islet_mqtt_violations_total{protocol="mqtt",reason="${reason}"} 1`;
  if (!counted.includes(line))
    throw new Error(`no ${line} among\n${counted.filter((it) => it.includes("violations")).join("\n")}`);
}

/** Resolves when the condition holds; looks again each turn of the event loop, fails after five seconds. */
export async function eventually(condition: () => boolean, what = "condition"): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come true`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const BYSTANDER: StubDevice = { no: 4, deviceId: "p1_meter-2", nodeId: "meter-2", secret: "11111111111111111111" };

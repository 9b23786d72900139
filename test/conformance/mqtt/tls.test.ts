import { afterAll, beforeAll, expect, test } from "bun:test";
import { issueAuthority, issueServer } from "../../../src/platform/certificates/issue";
import { manualClock } from "../../../src/platform/testing/manual-clock";
import {
  bytes,
  commandTopic,
  connack,
  connect,
  DISCONNECT,
  dataTopic,
  puback,
  publish,
  report,
  suback,
  subscribe,
} from "./packets";
import { connectRaw } from "./raw-client";
import { eventually, loggedIn } from "./session";
import { METER, OTHER, type StubPlatform, startStubPlatform } from "./stub-platform";

let tls: { key: string; cert: string };
let ca: string;
let platform: StubPlatform;
const clock = manualClock();
beforeAll(async () => {
  const validity = { notBefore: Date.now() - 86_400_000, notAfter: Date.now() + 86_400_000 };
  const authority = await issueAuthority(validity);
  const server = await issueServer(authority, ["localhost", "127.0.0.1"], validity);
  tls = { key: server.key, cert: server.certificate };
  ca = authority.certificate;
  platform = await startStubPlatform({ tls, clock });
});
afterAll(() => platform.stop());

test("over TLS a device reports, is commanded, and counts as mqtts", async () => {
  const client = await connectRaw(platform.tlsPort, { ca });
  client.send(bytes(connect(METER), subscribe(1, [commandTopic(METER.deviceId), 0])));
  await client.expect(bytes(connack(0), suback(1, 0)));
  const ids = Array.from({ length: 2_000 }, (_, index) => index + 1);
  client.send(bytes(...ids.map((id) => publish(dataTopic(METER.deviceId), report(id), { id }))));
  for (const id of ids) await client.expect(puback(id));
  const text = "x".repeat(400_000);
  await platform.listener.deviceLink.sendCommand(
    1,
    { mid: 1, serviceId: "M", method: "C", paras: { text }, deviceId: METER.deviceId },
    () => {},
  );
  expect((await client.packet()).length).toBeGreaterThan(400_000);
  expect(platform.metrics.render()).toContain('islet_connections{protocol="mqtts"} 1');
  expect(platform.metrics.render()).toContain(
    'islet_messages_total{protocol="mqtts",direction="in",outcome="report"} 2000',
  );
  client.send(DISCONNECT);
  await client.expectClosed();
});

test("a sender is held back over TLS as well, and gets all of its answers", async () => {
  platform.store.isHeld = true;
  const client = await connectRaw(platform.tlsPort, { ca });
  client.send(connect(METER));
  await client.expect(connack(0));
  const ids = Array.from({ length: 20_000 }, (_, index) => index + 1);
  client.send(bytes(...ids.map((id) => publish(dataTopic(METER.deviceId), report(id), { id }))));
  await eventually(() => platform.store.waiting() >= 4_096);
  const other = await loggedIn(platform, OTHER);
  await other.expectAlive();
  expect(platform.store.waiting()).toBe(4_096);
  platform.store.isHeld = false;
  platform.store.commit();
  for (const id of ids) await client.expect(puback(id));
});

test("a client that speaks no TLS is turned away; others are not disturbed", async () => {
  const plain = await connectRaw(platform.tlsPort);
  plain.send(connect(METER));
  await eventually(() => plain.isClosed());
  const garbage = await connectRaw(platform.tlsPort);
  garbage.send(new Uint8Array(10_000).fill(0x16));
  await eventually(() => garbage.isClosed());
  const client = await connectRaw(platform.tlsPort, { ca });
  client.send(connect(METER));
  await client.expect(connack(0));
  await client.expectAlive();
});

test("a client that never shakes hands is dropped in time", async () => {
  const silent = await connectRaw(platform.tlsPort);
  await eventually(() => platform.metrics.render().includes("islet_mqtt_half_open_connections 1"));
  await clock.advance(12_000);
  await silent.expectClosed();
});

import { afterEach, beforeEach, expect, test } from "bun:test";
import {
  answer,
  commandTopic,
  connack,
  connect,
  dataTopic,
  puback,
  pubcomp,
  publish,
  pubrec,
  pubrel,
  report,
  suback,
  subscribe,
} from "./packets";
import { connectRaw } from "./raw-client";
import { METER, type StubPlatform, startStubPlatform } from "./stub-platform";

let platform: StubPlatform;
beforeEach(async () => {
  platform = await startStubPlatform();
});
afterEach(() => platform.stop());

test("a device connects, reports, subscribes, is commanded and answers", async () => {
  const client = await connectRaw(platform.port);
  client.send(connect(METER));
  await client.expect(connack(0));
  client.send(publish(dataTopic(METER.deviceId), report(21), { id: 7 }));
  await client.expect(puback(7));
  expect(platform.store.reported).toEqual([
    { deviceNo: 1, reports: [{ serviceId: "Meter", data: { value: 21 }, eventTimeMs: undefined }] },
  ]);
  client.send(subscribe(1, [commandTopic(METER.deviceId), 1]));
  await client.expect(suback(1, 1));
  let delivered = 0;
  const sent = await platform.listener.deviceLink.sendCommand(
    1,
    { mid: 5, serviceId: "Meter", method: "SET", paras: { on: 1 }, deviceId: METER.deviceId },
    () => delivered++,
  );
  expect(sent).toBe("sent");
  await client.expect(
    publish(
      commandTopic(METER.deviceId),
      '{"msgType":"cloudReq","serviceId":"Meter","mid":5,"cmd":"SET","paras":{"on":1}}',
      { id: 1 },
    ),
  );
  client.send(puback(1));
  await client.expectAlive();
  expect(delivered).toBe(1);
  client.send(publish(dataTopic(METER.deviceId), answer(5), { id: 8 }));
  await client.expect(puback(8));
  expect(platform.answers).toMatchObject([{ deviceNo: 1, mid: 5, errcode: 0, body: { done: true } }]);
  expect(platform.calls).toEqual(["connected 1"]);
  client.send(publish(dataTopic(METER.deviceId), report(22), { id: 9, qos: 2 }));
  await client.expect(pubrec(9));
  client.send(pubrel(9));
  await client.expect(pubcomp(9));
});

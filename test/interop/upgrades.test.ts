/** Packages and frames of upgrades over real sockets: libcoap downloads, devices of their own are upgraded. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import { sampleOrder, samplePackage } from "../../src/capabilities/upgrades/testing/fake-desk";
import type { UpgradeOrder } from "../../src/capabilities/upgrades/upgrade-link";
import { CODES, type CoapMessage, decodeBlock, decodeUint, OPTIONS, option } from "../../src/wire/coap";
import { decodePlatformMessage, encodeDeviceMessage } from "../../src/wire/pcp";
import { Random } from "../../src/wire/testing/random";
import { eventually } from "../support/eventually";
import { temporaryFolder } from "../support/islet";
import { ask, clients } from "../support/libcoap";
import { nbDevice } from "../support/nb-device";
import { type UpgradeLab, upgradeLab } from "../support/upgrade-lab";

const KEY = "sixteen-byte-key";
const PSK = Buffer.from(KEY).toString("hex");
const seed = Date.now() % 2 ** 31;
const CONTENT = new Random(seed).bytes(20_011); // no multiple of any block
console.log(`seed ${seed}`);

let lab: UpgradeLab;
beforeAll(async () => {
  lab = await upgradeLab(CONTENT);
});
afterAll(() => lab[Symbol.asyncDispose]());

const packageOf = (change = {}) => samplePackage({ ...lab.packageFields(), ...change });
function order(deviceNo: number, change: Partial<UpgradeOrder> = {}): UpgradeOrder {
  const made = sampleOrder({ deviceNo, package: packageOf(), token: `token-of-${deviceNo}`, ...change });
  lab.desk.set(made);
  return made;
}
let last = 0;
const register = (more: object = {}) => lab.register(`86123450000${9_000 + ++last}`, more);

describe("coap-client", () => {
  clients.plain.test.each([16, 64, 512, 1_024])("downloads a package in blocks of %d", async (blockSize) => {
    const { no } = await register();
    const { token } = order(no, { stage: "downloading" });
    using folder = temporaryFolder();
    const file = join(folder.path, "got");
    await ask(clients.plain, `coap://${lab.coap}/ota/${token}`, { blockSize, seconds: 30, more: ["-o", file] });
    expect(await Bun.file(file).bytes()).toEqual(CONTENT);
  });

  for (const name of ["gnutls", "openssl"] as const) {
    clients[name].test(`(${name}) downloads it in a session, its own only`, async () => {
      const mine = await register({ isSecure: true, credentials: { kind: "verifyCode", psk: PSK } });
      const other = await register();
      const [good, foreign] = [mine, other].map(({ no }) => order(no, { stage: "downloading" }).token);
      using folder = temporaryFolder();
      const file = join(folder.path, "got");
      const login = { identity: mine.nodeId, key: KEY };
      await ask(clients[name], `coaps://${lab.coaps}/ota/${good}`, {
        login,
        blockSize: 512,
        seconds: 30,
        more: ["-o", file],
      });
      expect(await Bun.file(file).bytes()).toEqual(CONTENT);
      expect((await ask(clients[name], `coaps://${lab.coaps}/ota/${foreign}`, { login })).code).toBe("4.04");
    });
  }

  clients.plain.test("gets any block at any time, nothing behind the end, and nothing for a void token", async () => {
    const { no } = await register();
    const { token } = order(no, { stage: "downloading" });
    const uri = `coap://${lab.coap}/ota/${token}`;
    const block = (num: number, szx: number) => ["-O", `23,0x${((num << 4) | szx).toString(16).padStart(6, "0")}`];
    const answers = await Promise.all(
      [block(39, 5), block(40, 5), block(3, 0)].map((more) => ask(clients.plain, uri, { more, seconds: 2 })),
    );
    expect(answers.map(({ messages }) => messages.some((it) => it.includes("c:4.00")))).toEqual([false, true, false]);
    expect(answers[0]?.messages.some((it) => / Block2:39\/_\/512/.test(it) && it.includes("c:2.05"))).toBe(true);
    lab.desk.orders.delete(no);
    expect((await ask(clients.plain, uri)).code).toBe("4.04");
  });
});

describe("a device", () => {
  test("is pushed to block by block, though it does not hear all of them", async () => {
    const { no, nodeId } = await register();
    const got = new Uint8Array(CONTENT.length);
    const numbers: number[] = [];
    let state = 0;
    let deafFrom = 7;
    const resource = (value: number) => ({ code: CODES.content, contentFormat: 0, payload: Buffer.from(`${value}`) });
    const answer = (request: CoapMessage, path: string) => {
      if (request.code === CODES.get && path === "/5/0/3") return resource(state);
      if (request.code === CODES.get && path === "/5/0/5") return resource(0);
      if (request.code === CODES.get && path === "/5/0")
        return {
          code: CODES.content,
          contentFormat: 11_542,
          payload: Uint8Array.of(0xc1, 3, state, 0xc1, 5, 0, 0xc1, 9, 1),
        };
      if (request.code !== CODES.put || path !== "/5/0/0") return { code: CODES.changed };
      const value = request.options.find(({ number }) => number === OPTIONS.block1.number)?.value as Uint8Array;
      const block = decodeBlock(decodeUint(value)) as NonNullable<ReturnType<typeof decodeBlock>>;
      if (block.num >= deafFrom) return undefined;
      numbers.push(block.num);
      got.set(request.payload, block.num * block.size);
      state = block.more ? 1 : 2;
      const options = [option("block1", decodeUint(value))];
      return { code: block.more ? CODES.continue : CODES.changed, options };
    };
    using device = await nbDevice(lab.coap, { ep: nodeId, answer });
    await device.register();
    const first = order(no, { stage: "announcing" });
    expect(await lab.object5.perform(first, "announce", false)).toBe("sent");
    order(no, { stage: "downloading" });
    await device.until(() => device.requests.filter(({ path }) => path === "/5/0/0").length > deafFrom);
    deafFrom = Number.POSITIVE_INFINITY; // it hears the next repetition
    await eventually(
      () => lab.desk.facts(),
      (facts) => facts.includes("downloaded"),
    );
    expect(got).toEqual(CONTENT);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, num) => num));
  }, 30_000);

  test("of either dialect is upgraded by PCP, and takes the order to install once", async () => {
    const wanted = packageOf({ kind: "software", shardSize: 500 });
    for (const style of ["lwm2m", "tup"] as const) {
      const { no, nodeId } = await register();
      const at = (stage: UpgradeOrder["stage"]) =>
        order(no, { way: "pcp", kind: "software", stage, package: wanted, subTaskNo: no });
      using device = await nbDevice(lab.coap, { ep: nodeId, style });
      await device.register();
      const say = (message: Parameters<typeof encodeDeviceMessage>[0]) => device.report(encodeDeviceMessage(message));
      const heard = (many: number) => device.until(() => device.commands.length >= many);
      const told = (index: number) => {
        const decoded = decodePlatformMessage(device.commands[index] as Uint8Array);
        return decoded.kind === "message" ? decoded.message : decoded;
      };

      expect(await lab.pcp.perform(at("version"), "queryVersion", false)).toBe("sent");
      await say({ type: "queryVersionResponse", resultCode: 0, currentVersion: "V1.0" });
      expect(await lab.pcp.perform(at("announcing"), "announce", false)).toBe("sent");
      expect(told(1)).toMatchObject({ type: "newVersionRequest", targetVersion: "V2.0", shardTotal: 41 });
      await say({ type: "newVersionResponse", resultCode: 0 });
      at("downloading");
      const got: Uint8Array[] = [];
      for (let shardIndex = 0; shardIndex < 41; shardIndex++) {
        await say({ type: "shardRequest", targetVersion: "V2.0", shardIndex });
        await heard(shardIndex + 3);
        const shard = told(shardIndex + 2);
        if ("data" in shard) got[shard.shardIndex] = shard.data;
      }
      expect(new Uint8Array(Buffer.concat(got))).toEqual(CONTENT);
      await say({ type: "downloadResultRequest", downloadStatus: 0 });
      const executing = at("executing");
      expect(await lab.pcp.perform(executing, "execute", false)).toBe("sent");
      expect(await lab.pcp.perform(executing, "execute", true)).toBe("sent"); // the same message: the device knows it
      await say({ type: "executeResponse", resultCode: 0 });
      at("updating");
      await say({ type: "upgradeResultRequest", resultCode: 0, currentVersion: "V2.0" });
      await heard(46);
      expect([43, 44, 45].map((index) => told(index))).toMatchObject([
        { type: "downloadResultResponse", resultCode: 0 },
        { type: "executeRequest" },
        { type: "upgradeResultResponse", resultCode: 0 },
      ]);
      expect([device.commands.length, device.reusedIds]).toEqual([46, 0]);
      expect(lab.desk.facts()).toEqual(["version V1.0", "accepted", "downloaded", "updating", "succeeded V2.0"]);
    }
  });
});

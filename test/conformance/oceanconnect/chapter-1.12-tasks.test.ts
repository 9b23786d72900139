import { expect, test } from "bun:test";
import { renderUtcTime } from "../../../src/platform/utc-time";
import { codeOf, type Endpoint, type Row, testChapter } from "./chapter";
import {
  furnishUpgrades,
  type Kind,
  NAMES,
  UNKNOWN,
  UPGRADES_SETTINGS,
  type UpgradeWorld,
  usualRows,
} from "./upgrade-world";

const MAX_TARGETS = 256;
const WINDOW_S = 300;
const KINDS: readonly Kind[] = ["software", "firmware"];

const fromNow = (seconds: number) => renderUtcTime(Date.now() + seconds * 1_000);
/** Of one task: it begins so many seconds from now. */
const custom = (startS: number, lengthS: number) => {
  const now = Date.now();
  const at = (seconds: number) => renderUtcTime(now + seconds * 1_000);
  return { executeType: "custom", startTime: at(startS), endTime: at(startS + lengthS) };
};
const names = (count: number) => Array.from({ length: count }, (_, index) => `n${index}`);
const inGroups = (more: object = {}) => ({ deviceGroups: ["Roof"], ...NAMES, ...more });

/** 1.12.4 and 1.12.5 have the same parameters and the same table. */
function newUpgrade({ section }: { section: string }, kind: Kind): Endpoint<UpgradeWorld> {
  const refused = (line: Row<UpgradeWorld>["line"], more: () => object): Row<UpgradeWorld> => ({
    line,
    provoke: ({ ask, create }) => ask(create(kind, more())),
  });
  const targets = (line: Row<UpgradeWorld>["line"], its: object) => refused(line, () => ({ targets: its }));
  const policy = (line: Row<UpgradeWorld>["line"], its: () => object) => refused(line, () => ({ policy: its() }));
  return {
    section,
    async works({ ask, get, create, online, addDevice, addGroup, upload, ended }) {
      const created = [200, { operationId: expect.stringMatching(/^[0-9a-f]{32}$/) }];
      const deviceId = await online();
      const fileId = await upload(kind);
      const least = await ask(create(kind, { fileId, targets: { devices: [deviceId] } }));
      expect([least.status, JSON.parse(least.text)]).toEqual(created);
      expect(await ended(JSON.parse(least.text).operationId)).toMatchObject({
        ...{ status: "success", staResult: { total: 1, success: 1 } },
      });
      const deviceGroups = [await addGroup(await addDevice()), await addGroup(await addDevice(), await addDevice())];
      const most = create(kind, {
        targets: { ...inGroups({ deviceGroups }), devices: [] },
        policy: { ...custom(3_600, 600), retryType: true, retryTimes: 3 },
      });
      const { status, text } = await ask(most);
      expect([status, JSON.parse(text)]).toEqual(created);
      await get(create(kind, { policy: { executeType: "device_online", retryType: false } }));
    },
    rows: [
      refused("400 120015", () => ({ fileId: "" })),
      {
        line: "400 123016",
        async provoke({ ask, create, addDevice, other }) {
          return ask(create(kind, { targets: { devices: [await addDevice(undefined, other)] } }));
        },
      },
      targets("400 123019", inGroups({ manufacturerName: "" })),
      targets("400 123020", inGroups({ deviceType: null })),
      targets("400 123021", inGroups({ model: undefined })),
      targets("400 123022", {}),
      targets("400 123023", inGroups({ devices: ["d1"] })),
      targets("400 123024", { devices: names(MAX_TARGETS + 1) }),
      policy("400 123025", () => ({ executeType: "later" })),
      policy("400 123026", () => ({ executeType: "custom", startTime: fromNow(60) })),
      policy("400 123028", () => ({ executeType: "now", retryType: true })),
      policy("400 123032", () => custom(7_200, -60)),
      policy("400 123033", () => custom(-60, 3_600)),
      policy("400 123034", () => custom(60, WINDOW_S)),
      refused("404 123002", () => ({ fileId: UNKNOWN })),
      ...usualRows(({ create }) => create(kind)),
    ],
  };
}

testChapter<UpgradeWorld>({
  chapters: ["1.12"],
  sections: ["1.12.4", "1.12.5"],
  settings: UPGRADES_SETTINGS,
  furnish: furnishUpgrades,
  close: ({ close }) => close(),
  endpoints: [newUpgrade({ section: "1.12.4" }, "software"), newUpgrade({ section: "1.12.5" }, "firmware")],
  more(world) {
    test("as many devices and groups as are just allowed, and no more", async () => {
      const { ask, get, create, start, task, addDevice, addGroup } = world();
      const devices = await Promise.all(names(MAX_TARGETS).map(() => addDevice()));
      const groups = await Promise.all(devices.map((deviceId) => addGroup(deviceId)));
      for (const kind of KINDS)
        for (const targets of [{ devices }, inGroups({ deviceGroups: groups })]) {
          const operationId = await start(kind, { targets });
          expect(await get(task(operationId))).toMatchObject({ staResult: { total: MAX_TARGETS } });
        }
      const tooMany = [{ devices: [...devices, "one"] }, inGroups({ deviceGroups: [...groups, "one"] })];
      for (const targets of tooMany) expect(codeOf(await ask(create("software", { targets })))).toBe("123024");
    });

    test("policies that are just allowed, and those just beyond", async () => {
      const { ask, get, create } = world();
      const codes = async (...policies: object[]) => {
        const seen: unknown[] = [];
        for (const policy of policies) seen.push(codeOf(await ask(create("firmware", { policy }))));
        return seen;
      };
      const retry = (retryTimes: unknown) => ({ executeType: "device_online", retryType: true, retryTimes });
      expect(await codes(retry(1), retry(5), retry("5"))).toEqual([undefined, undefined, undefined]);
      expect(await codes(retry(0), retry(6), retry(1.5), retry(null))).toEqual(Array(4).fill("123028"));
      expect(await codes({ executeType: "now", retryTimes: 6 })).toEqual([undefined]); // without retryType it says nothing

      expect(await codes(custom(3_600, WINDOW_S + 1))).toEqual([undefined]);
      expect(await codes(custom(3_600, WINDOW_S), custom(3_600, 0))).toEqual(["123034", "123034"]);
      expect(await codes(custom(3_600, -1))).toEqual(["123032"]);
      const window = custom(3_600, 600);
      const { startTime: _, ...endOnly } = window;
      const malformed = ["", null, "2026-01-01T00:00:00Z", "20260231T000000Z", 5];
      expect(await codes(endOnly, ...malformed.map((endTime) => ({ ...window, endTime })))).toEqual(
        Array(6).fill("123026"),
      );

      expect(await codes({ executeType: "" }, { executeType: null }, { executeType: "NOW" })).toEqual(
        Array(3).fill("123025"),
      );
      await get(create("firmware", { policy: {} })); // left out: now
      await get(create("firmware", { policy: null }));
    });

    test("names of the product and of groups: which error each has", async () => {
      const { ask, create, addDevice, addGroup } = world();
      const roof = await addGroup(await addDevice());
      const empty = await addGroup();
      const code = async (targets: object) => codeOf(await ask(create("software", { targets })));
      for (const name of ["manufacturerName", "deviceType", "model"])
        expect(await code(inGroups({ deviceGroups: [roof], [name]: "Else" }))).toBe("123016");
      expect(await code(inGroups({ deviceGroups: [roof, "Nowhere"] }))).toBe("123002");
      expect(await code(inGroups({ deviceGroups: [empty] }))).toBe("123022"); // nobody is meant
      expect(await code(inGroups({ deviceGroups: [empty, roof] }))).toBeUndefined();
      expect(await code({ devices: [], deviceGroups: [] })).toBe("123022");
      expect(await code({ devices: ["nobody"] })).toBe("123002");
    });

    test("what is another application's does not exist", async () => {
      const { send, signed, ask, create, sleeper, fileIds, editable, addApplication, gone } = world();
      const foreign = create("software", { targets: { devices: [sleeper] }, fileId: fileIds.software });
      expect(codeOf(await ask(foreign, editable))).toBe("123002");
      expect(codeOf(await ask(foreign, await addApplication()))).toBe("123002");
      expect(codeOf(await send(foreign, signed(gone)))).toBe("1010005");
    });

    test("a package of the other kind is a bad request", async () => {
      const { ask, create, fileIds } = world();
      expect(codeOf(await ask(create("software", { fileId: fileIds.firmware })))).toBe("120015");
      expect(codeOf(await ask(create("firmware", { fileId: fileIds.software })))).toBe("120015");
    });

    test.each(KINDS)(
      "%s: checked in this order: caller, throttle, parameters, existence; nothing is left of it",
      async (kind) => {
        const { send, ask, get, create, tasks, throttled, addDevice, other, fileIds } = world();
        const before = (await get<{ totalCount: number }>(tasks())).totalCount;
        const nobody = { devices: ["nobody"] };
        const wrong = create(kind, { fileId: "", targets: {}, policy: { executeType: "later" } });
        const retries = { executeType: "now", retryType: true, retryTimes: 6 };
        const mixed = { devices: [await addDevice(undefined, other), "nobody"] };
        expect([
          codeOf(await send(wrong, {})),
          codeOf(await ask(wrong, { ...throttled, token: "x" })),
          codeOf(await ask(wrong, throttled)),
          codeOf(await ask(wrong)),
          codeOf(await ask(create(kind, { fileId: UNKNOWN, targets: nobody, policy: retries }))),
          codeOf(await ask(create(kind, { fileId: UNKNOWN, targets: nobody, policy: custom(60, WINDOW_S) }))),
          codeOf(await ask(create(kind, { fileId: UNKNOWN, targets: inGroups({ model: "" }) }))),
          codeOf(await ask(create(kind, { fileId: UNKNOWN, targets: inGroups({ model: "Else" }) }))),
          codeOf(await ask(create(kind, { fileId: fileIds[kind], targets: mixed }))),
        ]).toEqual(["100025", "1010005", "1010009", "120015", "123028", "123034", "123021", "123002", "123002"]);
        expect((await get<{ totalCount: number }>(tasks())).totalCount).toBe(before);
      },
    );
  },
});

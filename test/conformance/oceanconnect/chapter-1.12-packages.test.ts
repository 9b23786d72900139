import { expect, test } from "bun:test";
import { codeOf, type Endpoint, testChapter } from "./chapter";
import { UTC } from "./product-models";
import { furnishUpgrades, NAMES, UNKNOWN, UPGRADES_SETTINGS, type UpgradeWorld, usualRows } from "./upgrade-world";

type Listed = { data: { fileId: string }[]; pageNo: number; pageSize: number; totalCount: number };
const shownPackage = (fileId: string, fileType: string, version: unknown) => ({
  ...{ fileId, name: expect.any(String), version, fileType, ...NAMES, protocolType: "LWM2M" },
  ...{ description: null, date: null, uploadTime: UTC },
});

/** 1.12.2 and 1.12.3 have the same table. */
const ofPackage = (
  { section }: { section: string },
  call: (world: UpgradeWorld, fileId: string) => { method: string; path: string },
  works: Endpoint<UpgradeWorld>["works"],
): Endpoint<UpgradeWorld> => ({
  section,
  works,
  rows: [
    { line: "400 120015", provoke: (world) => world.ask(call(world, "F".repeat(32))) },
    { line: "404 123002", provoke: (world) => world.ask(call(world, UNKNOWN)) },
    ...usualRows((world) => call(world, world.fileIds.software)),
  ],
});

testChapter<UpgradeWorld>({
  chapters: ["1.12"],
  sections: ["1.12.1", "1.12.2", "1.12.3"],
  settings: UPGRADES_SETTINGS,
  furnish: furnishUpgrades,
  close: ({ close }) => close(),
  endpoints: [
    {
      section: "1.12.1",
      async works({ ask, packages, upload }) {
        const description = "better alarms";
        const firmware = await upload("firmware", "FW9", { name: "Fine", description });
        const software = await upload("software", "SW9");
        const seen = await ask(packages({ pageSize: 2 }));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          {
            data: [
              { ...shownPackage(software, "softwarePackage", "SW9"), description: "better readings" },
              { ...shownPackage(firmware, "firmwarePackage", "FW9"), name: "Fine", description },
            ],
            ...{ pageNo: 0, pageSize: 2, totalCount: 4 },
          },
        ]);
        const found = async (query: Record<string, string>): Promise<number> =>
          JSON.parse((await ask(packages(query))).text).totalCount;
        expect(await found({ fileType: "firmwarePackage" })).toBe(2);
        expect(await found({ fileType: "softwarePackage", version: "FW9" })).toBe(0);
        expect(await found({ ...NAMES, version: "FW9" })).toBe(1);
        expect(await found({ manufactureName: NAMES.manufacturerName })).toBe(4); // as the example spells it
        expect(await found({ model: "Else" })).toBe(0);
      },
      rows: [
        { line: "400 120015", provoke: ({ ask, packages }) => ask(packages({ pageNo: "first" })) },
        { line: "400 123029", provoke: ({ ask, packages }) => ask(packages({ pageSize: 101 })) },
        ...usualRows(({ packages }) => packages()),
      ],
    },
    ofPackage(
      { section: "1.12.2" },
      ({ show }, fileId) => show(fileId),
      async ({ ask, show, fileIds }) => {
        const seen = await ask(show(fileIds.firmware));
        const shown = shownPackage(fileIds.firmware, "firmwarePackage", expect.any(String));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([200, shown]);
      },
    ),
    ofPackage(
      { section: "1.12.3" },
      ({ remove }, fileId) => remove(fileId),
      async ({ ask, remove, show, upload }) => {
        const fileId = await upload("software");
        const seen = await ask(remove(fileId));
        expect([seen.status, seen.text]).toEqual([200, ""]);
        expect(codeOf(await ask(show(fileId)))).toBe("123002");
      },
    ),
  ],
  more(world) {
    test("1.12.1 takes what is just allowed, and no more", async () => {
      const { ask, get, packages } = world();
      const filters = ["deviceType", "model", "manufacturerName", "version"];
      for (const filter of filters) await get(packages({ [filter]: "x".repeat(256) }));
      for (const page of [{ pageSize: 1 }, { pageSize: 100 }, { pageNo: 2_000_000_000 }]) await get(packages(page));
      for (const filter of filters) expect(codeOf(await ask(packages({ [filter]: "x".repeat(257) })))).toBe("120015");
      for (const page of [{ pageSize: 0 }, { pageSize: 101 }, { pageNo: -1 }])
        expect(codeOf(await ask(packages(page)))).toBe("123029");
      for (const query of [{ fileType: "package" }, { pageSize: "1.5" }])
        expect(codeOf(await ask(packages(query)))).toBe("120015");
    });

    test("1.12.1 shows pages, the newest first", async () => {
      const { get, packages, upload } = world();
      const fileId = await upload("software");
      const { totalCount } = await get<Listed>(packages());
      expect((await get<Listed>(packages({ pageSize: 1 }))).data[0]?.fileId).toBe(fileId);
      const beyond = await get<Listed>(packages({ pageSize: 1, pageNo: totalCount }));
      expect(beyond).toEqual({ data: [], pageNo: totalCount, pageSize: 1, totalCount });
    });

    test("another application's packages are nowhere, and a deleted application is nobody", async () => {
      const { send, signed, ask, get, packages, show, remove, fileIds, stranger, editable, gone } = world();
      for (const who of [stranger, editable]) {
        expect(await get<Listed>(packages(), who)).toMatchObject({ data: [], totalCount: 0 });
        for (const call of [show, remove]) expect(codeOf(await ask(call(fileIds.software), who))).toBe("123002");
      }
      expect(codeOf(await send(packages(), signed(gone)))).toBe("1010005");
    });

    test("1.12.3 leaves a package that an unfinished upgrade needs", async () => {
      const { ask, get, remove, show, start, upload } = world();
      const fileId = await upload("software");
      await start("software", { fileId });
      const { status, text } = await ask(remove(fileId));
      expect([status, codeOf({ status, text })]).toEqual([400, "120015"]);
      await get(show(fileId));
    });

    test("1.12.3 is checked in this order: caller, throttle, parameters, existence", async () => {
      const { send, ask, remove, throttled } = world();
      const wrong = remove("nothing");
      expect([
        codeOf(await send(wrong, {})),
        codeOf(await ask(wrong, { ...throttled, token: "x" })),
        codeOf(await ask(wrong, throttled)),
        codeOf(await ask(wrong)),
        codeOf(await ask(remove(UNKNOWN))),
      ]).toEqual(["100025", "1010005", "1010009", "120015", "123002"]);
    });
  },
});

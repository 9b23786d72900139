import { expect, test } from "bun:test";
import { renderUtcTime } from "../../../src/platform/utc-time";
import { codeOf, testChapter } from "./chapter";
import { UTC } from "./product-models";
import { furnishUpgrades, NAMES, UNKNOWN, UPGRADES_SETTINGS, type UpgradeWorld, usualRows } from "./upgrade-world";

type Page<T> = { data: T[]; pageNo: number; pageSize: number; totalCount: number };
type Task = { operationId: string };
const COUNTS = { total: 0, wait: 0, processing: 0, success: 0, fail: 0, stop: 0, timeout: 0 };
const NO_TARGETS = { deviceGroups: null, deviceType: null, model: null, manufacturerName: null, devices: null };
const PAGES = [{ pageSize: 1 }, { pageSize: 100 }, { pageNo: 2_000_000_000 }];
const BEYOND = [{ pageSize: 0 }, { pageSize: 101 }, { pageNo: -1 }];
const SECONDS = expect.stringMatching(/^\d+$/);

testChapter<UpgradeWorld>({
  chapters: ["1.12"],
  sections: ["1.12.6", "1.12.7", "1.12.8"],
  settings: UPGRADES_SETTINGS,
  furnish: furnishUpgrades,
  close: ({ close }) => close(),
  endpoints: [
    {
      section: "1.12.6",
      async works({ ask, get, start, task, ended, upload, online, addDevice, addGroup }) {
        const fileId = await upload("software", "SW2");
        const devices = [await online(), await online("low-battery")];
        const operationId = await start("software", { fileId, targets: { devices }, policy: undefined });
        await ended(operationId);
        const seen = await ask(task(operationId));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          {
            ...{ operationId, createTime: UTC, startTime: UTC, stopTime: UTC, operateType: "software_upgrade" },
            targets: { ...NO_TARGETS, devices },
            policy: { executeType: "now", startTime: null, endTime: null, retryType: false, retryTimes: null },
            status: "failed", // one of them
            staResult: { ...COUNTS, total: 2, success: 1, fail: 1 },
            extendPara: { taskName: "software SW2", fileId },
          },
        ]);
        const hour = Date.now() + 3_600_000;
        const times = { startTime: renderUtcTime(hour), endTime: renderUtcTime(hour + 600_000) };
        const deviceGroups = [await addGroup(await addDevice())];
        const later = await start("firmware", {
          targets: { deviceGroups, ...NAMES },
          policy: { executeType: "custom", ...times, retryType: true, retryTimes: 2 },
        });
        expect(await get(task(later))).toMatchObject({
          ...{ createTime: UTC, startTime: null, stopTime: null, operateType: "firmware_upgrade" },
          targets: { ...NO_TARGETS, deviceGroups, ...NAMES },
          policy: { executeType: "custom", ...times, retryType: true, retryTimes: 2 },
          ...{ status: "wait", staResult: { ...COUNTS, total: 1, wait: 1 } },
        });
      },
      rows: [
        { line: "400 120015", provoke: ({ ask, task }) => ask(task("nothing")) },
        { line: "404 123009", provoke: ({ ask, task }) => ask(task(UNKNOWN)) },
        ...usualRows(({ task }) => task(UNKNOWN)),
      ],
    },
    {
      section: "1.12.7",
      async works({ ask, get, start, subTasks, ended, upload, online }) {
        const fileId = await upload("software", "SW3");
        const devices = [await online(), await online("low-battery")];
        const operationId = await start("software", { fileId, targets: { devices } });
        await ended(operationId);
        const seen = await ask(subTasks(operationId));
        const shown = (deviceId: unknown) => ({
          ...{ subOperationId: expect.stringMatching(/^[0-9a-f]{32}$/), createTime: UTC, startTime: UTC },
          ...{ stopTime: UTC, operateType: "software_upgrade", deviceId },
        });
        const { data, ...page } = JSON.parse(seen.text) as Page<{ deviceId: string }>;
        expect([seen.status, page]).toEqual([200, { pageNo: 0, pageSize: 10, totalCount: 2 }]);
        expect(devices.map((deviceId) => data.find((it) => it.deviceId === deviceId) as object)).toEqual([
          {
            ...{ ...shown(devices[0]), status: "success", detailInfo: null },
            extendPara: {
              ...{ upgradeTime: SECONDS, downloadTime: SECONDS },
              ...{ sourceVersion: "1.0.0", curVersion: "SW3", targetVersion: "SW3" },
            },
          },
          {
            ...{ ...shown(devices[1]), status: "fail", detailInfo: expect.stringMatching(/battery/i) },
            extendPara: {
              ...{ upgradeTime: SECONDS, downloadTime: null },
              ...{ sourceVersion: "1.0.0", curVersion: "1.0.0", targetVersion: "SW3" },
            },
          },
        ]);
        for (const [status, count] of Object.entries({ success: 1, fail: 1, wait: 0, processing: 0, stop: 0 }))
          expect(await get(subTasks(operationId, { subOperationStatus: status }))).toMatchObject({ totalCount: count });
      },
      rows: [
        {
          line: "400 120015",
          async provoke({ ask, start, subTasks }) {
            return ask(subTasks(await start("software"), { subOperationStatus: "FAIL" })); // as the example spells it
          },
        },
        {
          line: "400 123029",
          async provoke({ ask, start, subTasks }) {
            return ask(subTasks(await start("software"), { pageSize: 101 }));
          },
        },
        { line: "404 123009", provoke: ({ ask, subTasks }) => ask(subTasks(UNKNOWN)) },
        ...usualRows(({ subTasks }) => subTasks(UNKNOWN)),
      ],
    },
    {
      section: "1.12.8",
      async works({ ask, get, start, task, tasks, addDevice }) {
        const deviceId = await addDevice();
        const operationId = await start("software", { targets: { devices: [deviceId] } });
        const seen = await ask(tasks({ deviceId }));
        const shown = await get(task(operationId));
        expect([seen.status, JSON.parse(seen.text)]).toEqual([
          200,
          { data: [shown], pageNo: 0, pageSize: 10, totalCount: 1 },
        ]);
        const found = async (query: Record<string, string>) =>
          (await get<Page<Task>>(tasks({ deviceId, ...query }))).totalCount;
        expect(await found({ operationType: "software_upgrade" })).toBe(1);
        expect(await found({ operationType: "firmware_upgrade" })).toBe(0);
        expect(await found(NAMES)).toBe(1);
        for (const name of Object.keys(NAMES)) expect(await found({ [name]: "Else" })).toBe(0);
        for (const operationStatus of ["failed", "success", "stop"]) expect(await found({ operationStatus })).toBe(0);
      },
      rows: [
        { line: "400 120015", provoke: ({ ask, tasks }) => ask(tasks({ operationStatus: "fail" })) },
        { line: "400 123029", provoke: ({ ask, tasks }) => ask(tasks({ pageNo: -1 })) },
        {
          line: "404 123009",
          cannot: "A list names no task, so that none can be missing: what fits nothing is an empty list.",
        },
        ...usualRows(({ tasks }) => tasks()),
      ],
    },
  ],
  more(world) {
    test("1.12.7 and 1.12.8 take what is just allowed, and no more", async () => {
      const { ask, get, start, subTasks, tasks } = world();
      const operationId = await start("firmware");
      const ofTask = (query: Record<string, string | number>) => subTasks(operationId, query);
      for (const call of [ofTask, tasks]) {
        for (const page of PAGES) await get(call(page));
        for (const page of BEYOND) expect(codeOf(await ask(call(page)))).toBe("123029");
        for (const page of [{ pageNo: "first" }, { pageSize: "1.5" }])
          expect(codeOf(await ask(call(page)))).toBe("120015");
      }
      for (const filter of ["deviceType", "model", "manufacturerName", "deviceId"]) {
        expect(await get<Page<Task>>(tasks({ [filter]: "x".repeat(256) }))).toMatchObject({ data: [], totalCount: 0 });
        expect(codeOf(await ask(tasks({ [filter]: "x".repeat(257) })))).toBe("120015");
      }
      expect(codeOf(await ask(tasks({ operationType: "software" })))).toBe("120015");
    });

    test("1.12.7 and 1.12.8 show pages, 1.12.8 the newest first", async () => {
      const { get, start, addDevice, subTasks, tasks } = world();
      const devices = await Promise.all([addDevice(), addDevice(), addDevice()]);
      const older = await start("software", { targets: { devices } });
      const [deviceId = ""] = devices;
      const newer = await start("software", { targets: { devices: [deviceId] } }); // fails: the other is under way
      const pages = await Promise.all(
        [0, 1, 2].map((pageNo) => get<Page<{ deviceId: string }>>(subTasks(older, { pageNo, pageSize: 2 }))),
      );
      expect(pages.map(({ data, totalCount }) => [data.length, totalCount])).toEqual([
        [2, 3],
        [1, 3],
        [0, 3],
      ]);
      expect(pages.flatMap(({ data }) => data.map((it) => it.deviceId)).sort()).toEqual(devices.sort());
      const listed = await get<Page<Task>>(tasks({ deviceId, pageSize: 1 }));
      expect([listed.data.map((it) => it.operationId), listed.totalCount]).toEqual([[newer], 2]);
      const second = await get<Page<Task>>(tasks({ deviceId, pageSize: 1, pageNo: 1 }));
      expect(second.data.map((it) => it.operationId)).toEqual([older]);
    });

    test("a stopped task says so; another application sees nothing of it", async () => {
      const { send, signed, ask, get, manage, start, task, tasks, subTasks, ended, editable, gone } = world();
      const operationId = await start("firmware");
      expect((await manage("POST", `/upgrades/${operationId}/stop`)).status).toBeLessThan(300);
      await ended(operationId);
      expect(await get(task(operationId))).toMatchObject({ status: "stop", stopTime: UTC, staResult: { stop: 1 } });
      expect(await get(subTasks(operationId))).toMatchObject({ data: [{ status: "stop" }] });
      for (const call of [task(operationId), subTasks(operationId)])
        expect(codeOf(await ask(call, editable))).toBe("123009");
      expect(await get<Page<Task>>(tasks(), editable)).toMatchObject({ data: [], totalCount: 0 });
      for (const call of [task(operationId), subTasks(operationId), tasks()])
        expect(codeOf(await send(call, signed(gone)))).toBe("1010005");
    });

    test("1.12.7 is checked in this order: caller, throttle, parameters, existence", async () => {
      const { send, ask, subTasks, throttled } = world();
      const wrong = subTasks(UNKNOWN, { pageSize: 101 });
      expect([
        codeOf(await send(wrong, {})),
        codeOf(await ask(wrong, { ...throttled, token: "x" })),
        codeOf(await ask(wrong, throttled)),
        codeOf(await ask(wrong)),
        codeOf(await ask(subTasks(UNKNOWN, { subOperationStatus: "FAIL" }))),
        codeOf(await ask(subTasks(UNKNOWN))),
      ]).toEqual(["100025", "1010005", "1010009", "123029", "120015", "123009"]);
    });
  },
});

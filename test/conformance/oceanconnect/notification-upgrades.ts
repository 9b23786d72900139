import { expect } from "bun:test";
import { OLD_VERSION } from "../../support/upgradable-device";
import type { NotifiedRow } from "./notification-world";

const SECONDS = expect.stringMatching(/^\d+$/);
const isAny = () => true;

/** 1.8.15 to 1.8.18: detectors of the simulator are upgraded, software by PCP, firmware by object 5. */
export const UPGRADE_ROWS: readonly NotifiedRow[] = [
  {
    section: "1.8.15",
    async told({ caller, toldOf, subTaskOf, upgrade }) {
      const started = await upgrade("software", "good");
      const ids = await subTaskOf(started);
      const told = await toldOf(
        "swUpgradeStateChangeNotify",
        started,
        ({ swUpgradeState }) => swUpgradeState === "idle",
      );
      expect(told).toEqual(
        ["downloading", "downloaded", "updating", "idle"].map((swUpgradeState) => ({
          ...{ notifyType: "swUpgradeStateChangeNotify", ...ids, appId: caller.appId, swUpgradeState },
        })),
      );
    },
  },
  {
    section: "1.8.16",
    async told({ caller, toldOf, subTaskOf, upgrade }) {
      const notifyType = "swUpgradeResultNotify";
      const done = await upgrade("software", "good");
      expect(await toldOf(notifyType, done, isAny)).toEqual([
        {
          ...{ notifyType, ...(await subTaskOf(done)), appId: caller.appId },
          ...{ curVersion: done.version, targetVersion: done.version, sourceVersion: OLD_VERSION },
          ...{
            swUpgradeResult: "SUCCESS",
            upgradeTime: SECONDS,
            resultDesc: "SUCCESS",
            errorCode: "",
            description: "",
          },
        },
      ]);
      const refused = await upgrade("software", "low-battery");
      const [told = {}] = await toldOf(notifyType, refused, isAny);
      expect(told).toMatchObject({
        ...{ notifyType, ...(await subTaskOf(refused)), appId: caller.appId },
        ...{ curVersion: OLD_VERSION, targetVersion: refused.version, sourceVersion: OLD_VERSION },
        ...{ swUpgradeResult: "FAIL", upgradeTime: SECONDS, errorCode: expect.stringMatching(/./) },
        ...{ resultDesc: expect.stringMatching(/battery/i), description: expect.stringMatching(/battery/i) },
      });
    },
  },
  {
    section: "1.8.17",
    async told({ caller, toldOf, subTaskOf, upgrade }) {
      const notifyType = "fwUpgradeStateChangeNotify";
      const started = await upgrade("firmware", "good");
      const ids = await subTaskOf(started);
      const told = await toldOf(notifyType, started, ({ step }) => step === "0");
      expect(told).toEqual(
        [
          ["1", "downloading"],
          ["2", "downloaded"],
          ["3", "updating"],
          ["0", "idle"],
        ].map(([step, stepDesc]) => ({ notifyType, ...ids, appId: caller.appId, step, stepDesc })),
      );
    },
  },
  {
    section: "1.8.18",
    async told({ caller, toldOf, subTaskOf, upgrade }) {
      const notifyType = "fwUpgradeResultNotify";
      const done = await upgrade("firmware", "good");
      expect(await toldOf(notifyType, done, isAny)).toEqual([
        {
          ...{ notifyType, ...(await subTaskOf(done)), appId: caller.appId },
          ...{ curVersion: done.version, targetVersion: done.version, sourceVersion: OLD_VERSION },
          ...{ status: "SUCCESS", statusDesc: "SUCCESS", upgradeTime: SECONDS },
        },
      ]);
      const broken = await upgrade("firmware", "wrong-crc");
      expect(await toldOf(notifyType, broken, isAny)).toEqual([
        {
          ...{ notifyType, ...(await subTaskOf(broken)), appId: caller.appId },
          ...{ curVersion: OLD_VERSION, targetVersion: broken.version, sourceVersion: OLD_VERSION, status: "FAIL" },
          statusDesc: "Integrity check failure for new downloaded package",
          upgradeTime: SECONDS,
        },
      ]);
    },
  },
];

import type { AppId } from "../../applications/application";
import type { PackageId, UpgradePackage } from "../../packages/package";
import type { DeviceFact, UpgradeDesk, UpgradeOrder } from "../upgrade-link";

export const samplePackage = (change: Partial<UpgradePackage> = {}): UpgradePackage => ({
  ...{ no: 1, fileId: "a".repeat(32) as PackageId, appNo: 1, appId: "app" as AppId, kind: "firmware", name: "fw" },
  ...{ version: "V2.0", deviceType: "Meter", manufacturerName: "Maker", model: "M1", protocolType: "LWM2M" },
  ...{
    sourceVersions: [],
    shardSize: 500,
    checkCode: 0x1234,
    fileName: "fw.bin",
    size: 1_000,
    sha256: "ab".repeat(32),
  },
  ...{ description: undefined, date: undefined, uploadedAt: 0 },
  ...change,
});

export const sampleOrder = (change: Partial<UpgradeOrder> = {}): UpgradeOrder => ({
  ...{ subTaskNo: 7, attempt: 1, deviceNo: 1, kind: "firmware", way: "object5", stage: "version" },
  ...{ package: samplePackage(), token: "t0ken" },
  ...change,
});

/** A desk that notes what it is told, as short texts, and answers `taken` unless the test says otherwise. */
export function fakeDesk() {
  const orders = new Map<number, UpgradeOrder>();
  const devicesByToken = new Map<string, number>();
  const facts: string[] = [];
  let answer: (fact: DeviceFact) => "taken" | "ignored" | Promise<"taken" | "ignored"> = () => "taken";
  const desk: UpgradeDesk = {
    deviceReady() {},
    orderOf: (deviceNo) => orders.get(deviceNo),
    async tell(deviceNo, { subTaskNo, attempt }, fact) {
      const order = orders.get(deviceNo);
      if (order?.subTaskNo !== subTaskNo || order.attempt !== attempt) return "ignored";
      const verdict = await answer(fact);
      facts.push(verdict === "taken" ? render(fact) : `(${render(fact)})`);
      return verdict;
    },
    authorizeDownload(token) {
      const order = orders.get(devicesByToken.get(token) ?? -1);
      return order?.token === token ? order.package : undefined;
    },
  };
  return {
    desk,
    orders,
    set(order: UpgradeOrder): void {
      orders.set(order.deviceNo, order);
      devicesByToken.set(order.token, order.deviceNo);
    },
    /** Since the last call. */
    facts: () => facts.splice(0),
    answer(how: typeof answer): void {
      answer = how;
    },
  };
}
export type FakeDesk = ReturnType<typeof fakeDesk>;

function render(fact: DeviceFact): string {
  switch (fact.type) {
    case "version":
      return `version ${fact.version}`;
    case "versionFailed":
      return `versionFailed: ${fact.reason}`;
    case "radio":
      return `radio ${fact.cellId} ${fact.rsrp} ${fact.sinr}`;
    case "succeeded":
      return `succeeded ${fact.version}`;
    case "failed":
      return `failed ${fact.code}: ${fact.reason}`;
    default:
      return fact.type;
  }
}

/** The device side with both ways of upgrades in a process of its own; every device is downloading one package. */
import { readFileSync } from "node:fs";
import { sampleOrder, samplePackage } from "../../src/capabilities/upgrades/testing/fake-desk";
import { upgradeLab } from "../../test/support/upgrade-lab";

const { count, packageBytes } = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as {
  readonly count: number;
  readonly packageBytes: number;
};
const lab = await upgradeLab(crypto.getRandomValues(new Uint8Array(packageBytes)));
const wanted = samplePackage({ kind: "software", shardSize: 500, ...lab.packageFields() });
const devices = await Promise.all(
  Array.from({ length: count }, async (_, index) => {
    const { no, nodeId } = await lab.register(`load-${index}`);
    const token = `token-${index}-${"x".repeat(32)}`;
    lab.desk.set(sampleOrder({ ...{ deviceNo: no, way: "pcp", stage: "downloading", package: wanted, token } }));
    return { nodeId, token };
  }),
);
const port = Number(lab.coap.split(":")[1]);
console.log(JSON.stringify({ port, devices }));
process.on("SIGTERM", () => void lab[Symbol.asyncDispose]().then(() => process.exit(0)));

import { defineBench } from "./bench";
import { startChild } from "./support/child";
import { cpuSeconds } from "./support/server";
import type { UpgradeLoad, UpgradeLoadResult } from "./support/upgrade-load-child";

const DOWNLOADS = 1_000;
const PCP_DEVICES = 16;
const PACKAGE_BYTES = 1024 * 1024;

/** In one run, one after the other, against one process: what the first is, the others are compared with. */
export const upgrades = defineBench({
  name: "upgrades",
  about: `${DOWNLOADS} parallel downloads in blocks of 512, and shards to ${PCP_DEVICES} devices, beside GETs of a small resource`,
  goals: [
    { value: "blocksToGets", atLeast: 0.7 },
    { value: "shardsToGets" },
    { value: "blocksPerSecond" },
    { value: "shardsPerSecond" },
    { value: "refused", below: 1 },
  ],
  runs: 3,
  async run({ quick }) {
    const server = startChild("upgrade-server-child.ts", { count: DOWNLOADS, packageBytes: PACKAGE_BYTES });
    const { port, devices } = await server.next<Pick<UpgradeLoad, "port" | "devices">>();
    const run = async (mode: UpgradeLoad["mode"], count: number) => {
      const times = { seconds: quick ? 2 : 8, warmUpSeconds: quick ? 1 : 2 };
      const child = startChild("upgrade-load-child.ts", {
        ...{ ...times, port, mode, packageBytes: PACKAGE_BYTES, devices: devices.slice(0, count) },
      } satisfies UpgradeLoad);
      const before = cpuSeconds(server.pid);
      const result = await child.next<UpgradeLoadResult>();
      await child.stop();
      return { ...result, micros: ((cpuSeconds(server.pid) - before) / result.inAll) * 1e6 };
    };
    const gets = await run("gets", DOWNLOADS);
    const blocks = await run("blocks", DOWNLOADS);
    const fewGets = await run("gets", PCP_DEVICES);
    const shards = await run("shards", PCP_DEVICES);
    await server.stop();
    return {
      getsPerSecond: gets.perSecond,
      blocksPerSecond: blocks.perSecond,
      blocksToGets: blocks.perSecond / gets.perSecond,
      shardsPerSecond: shards.perSecond,
      // A shard takes two confirmable messages and their acknowledgements, and that the device was heard; a GET one.
      shardsToGets: shards.perSecond / fewGets.perSecond,
      microsPerGet: gets.micros,
      microsPerBlock: blocks.micros,
      microsPerShard: shards.micros,
      repeated: gets.repeated + blocks.repeated + shards.repeated,
      refused: gets.refused + blocks.refused + fewGets.refused + shards.refused,
    };
  },
});

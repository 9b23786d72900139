import { expect, test } from "bun:test";
import { FleetUsageError } from "../arguments";
import { parseFleetArguments } from "../fleet-arguments";
import { parseLwm2mArguments } from "../lwm2m-arguments";

const mqtt = (words: string) => parseFleetArguments(`--anonymous 3 ${words}`.trim().split(" "));
const lwm2m = (words: string) => parseLwm2mArguments(`--devices 3 ${words}`.trim().split(" "));

test.each([
  ["mqtt", mqtt],
  ["lwm2m", lwm2m],
] as const)("sim %s: behaviours are given in turn", (_name, parse) => {
  expect(parse("").upgrade).toBeUndefined();
  const upgrade = parse("--upgrade good,notice-04 --running-version V1 --install-ms 7 --slow-piece-ms 9").upgrade;
  expect([0, 1, 2].map((index) => upgrade?.(index).behaviour.failure.pcp?.code)).toEqual([undefined, 4, undefined]);
  expect(upgrade?.(0)).toMatchObject({ version: "V1", times: { installMs: 7, slowPaceMs: 9, restartMs: 5_000 } });
});

test.each([
  "--upgrade good,worse",
  "--upgrade ",
  "--install-ms 5",
  "--upgrade good --install-ms -1",
  "--upgrade good --running-version 12345678901234567",
])("sim: %p cannot be meant", (words) => {
  expect(() => mqtt(words)).toThrow(FleetUsageError);
  expect(() => lwm2m(words)).toThrow(FleetUsageError);
});

test("firmware: its own server is asked in its own session, and blocks have sizes of blocks", () => {
  const servers = lwm2m("--coap 127.0.0.1:7000 --upgrade good --block-size 256").upgrade?.(0).servers;
  expect(servers?.blockSize).toBe(256);
  expect(servers?.isOwn(new URL("coap://127.0.0.1:7000/p"))).toBe(true);
  for (const url of ["coap://127.0.0.1/p", "coaps://127.0.0.1:7000/p", "coap://127.0.0.2:7000/p"])
    expect(servers?.isOwn(new URL(url))).toBe(false);
  expect(lwm2m("--upgrade good").upgrade?.(0).servers.isOwn(new URL("coap://127.0.0.1/p"))).toBe(true);
  const byName = lwm2m("--coap localhost:7000 --upgrade good").upgrade?.(0).servers;
  expect(byName?.isOwn(new URL("coap://127.0.0.1:7000/p"))).toBe(true);
  for (const words of ["--upgrade good --block-size 100", "--block-size 64", "--firmware-version 2"])
    expect(() => lwm2m(words)).toThrow(FleetUsageError);
});

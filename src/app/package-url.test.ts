import { expect, test } from "bun:test";
import type { PackageId } from "../capabilities/packages/package";
import { packageUrl } from "./package-url";

const PACK = { fileId: "f1" as PackageId };
const ON = { "http.listen": "0.0.0.0:0", "https.listen": "0.0.0.0:0", "http.public_host": "", "https.public_host": "" };
const OPENED = { http: "0.0.0.0:8080", https: "0.0.0.0:8743" };
const PATH = "/ota/v1/packages/f1";

test.each([
  ["where it reached MQTT", {}, "10.0.0.7", `https://10.0.0.7:8743${PATH}`],
  ["an IPv4 address of an IPv6 socket", {}, "::ffff:10.0.0.7", `https://10.0.0.7:8743${PATH}`],
  ["IPv6", {}, "fd00::7", `https://[fd00::7]:8743${PATH}`],
  ["without TLS", { "https.listen": "off" }, "10.0.0.7", `http://10.0.0.7:8080${PATH}`],
  ["a host of its own", { "https.public_host": "islet.example" }, "10.0.0.7", `https://islet.example:8743${PATH}`],
  ["and a port", { "https.public_host": "islet.example:443" }, "10.0.0.7", `https://islet.example:443${PATH}`],
  ["an IPv6 host", { "https.public_host": "fd00::1" }, "10.0.0.7", `https://[fd00::1]:8743${PATH}`],
  ["an IPv6 host and a port", { "https.public_host": "[fd00::1]:443" }, "10.0.0.7", `https://[fd00::1]:443${PATH}`],
])("%s", (_name, config, local, url) => expect(packageUrl({ ...ON, ...config }, OPENED, PACK, local)).toBe(url));

test("nowhere when HTTP is off", () =>
  expect(packageUrl({ ...ON, "http.listen": "off", "https.listen": "off" }, {}, PACK, "10.0.0.7")).toBeUndefined());

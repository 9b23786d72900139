import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { connect, createServer } from "node:tls";
import { systemClock } from "../clock";
import { silentLog } from "../log";
import { type ManualClock, manualClock } from "../testing/manual-clock";
import { issueAuthority, issueServer } from "./issue";
import { CertificateError } from "./pem";
import { loadServerTls } from "./server-tls";
import type { ServerTls } from "./tls-files";

const DAY = 86_400_000;
let folder: string;
let clock: ManualClock;
let warnings: string[];
const log = { ...silentLog, warn: (event: string, fields = {}) => warnings.push(`${event} ${JSON.stringify(fields)}`) };
const file = (name: string) => join(folder, "tls", name);
const load = (names: string[] = []) => loadServerTls({ folder: join(folder, "tls"), names, clock, log });

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "islet-tls-"));
  clock = manualClock(Date.UTC(2026, 0, 1));
  warnings = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

describe("at first start", () => {
  test("a CA and a certificate for every name of the machine are made, keys for the owner only", async () => {
    const tls = await load(["Islet.Example.com", "192.0.2.7", "*.iot.example.com"]);
    const certificate = new X509Certificate(tls.cert);
    const authority = new X509Certificate(tls.ca ?? "");
    const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    for (const ip of ["127.0.0.1", "::1", "192.0.2.7", ...addresses.map(({ address }) => address)])
      expect(certificate.checkIP(ip)).toBe(ip);
    for (const name of ["localhost", "islet.example.com", "a.iot.example.com", hostname().toLowerCase()])
      expect(certificate.checkHost(name)).toBeDefined();
    expect(certificate.checkHost("example.com")).toBeUndefined();
    expect(certificate.checkPrivateKey(createPrivateKey(tls.key))).toBe(true);
    expect([authority.ca, certificate.ca]).toEqual([true, false]);
    expect(certificate.checkIssued(authority) && certificate.verify(authority.publicKey)).toBe(true);
    expect(statSync(file("ca.key")).mode & 0o777).toBe(0o600);
    expect(statSync(file("server.key")).mode & 0o777).toBe(0o600);
    expect(readFileSync(file("server.pem"), "utf8")).toBe(tls.cert);
  });

  test("devices whose clock is a little behind accept it", async () => {
    const { cert, ca = "" } = await load();
    for (const pem of [cert, ca]) expect(Date.parse(new X509Certificate(pem).validFrom)).toBe(clock.now() - DAY);
  });
});

describe("at a later start", () => {
  const reloaded = async (before: ServerTls, names: string[] = []) => {
    const after = await load(names);
    return { sameCa: after.ca === before.ca, sameServer: after.cert === before.cert && after.key === before.key };
  };

  test("nothing is made again", async () => {
    const names = ["islet.example.com", "*.example.com", "my_host", "2001:db8::1"];
    expect(await reloaded(await load(names), names)).toEqual({ sameCa: true, sameServer: true });
  });

  test("a new name gives a new certificate of the same CA", async () => {
    expect(await reloaded(await load(), ["new.example.com"])).toEqual({ sameCa: true, sameServer: false });
  });

  test.each([
    ["770 days later it is still good", 769, true],
    ["from 30 days before its end on it is renewed", 771, false],
  ])("%s", async (_rule, days, sameServer) => {
    const before = await load();
    await clock.advance(days * DAY);
    expect(await reloaded(before)).toEqual({ sameCa: true, sameServer });
  });

  test("a certificate that does not fit its key is replaced", async () => {
    const before = await load();
    writeFileSync(file("server.key"), readFileSync(file("ca.key")));
    expect(await reloaded(before)).toEqual({ sameCa: true, sameServer: false });
  });

  test("a damaged certificate is replaced", async () => {
    const before = await load();
    writeFileSync(file("server.pem"), "damaged");
    expect(await reloaded(before)).toEqual({ sameCa: true, sameServer: false });
  });

  test("a CA that the user put there is used from then on", async () => {
    const before = await load();
    const own = await issueAuthority({ notBefore: clock.now(), notAfter: clock.now() + 4_000 * DAY });
    writeFileSync(file("ca.pem"), own.certificate);
    writeFileSync(file("ca.key"), own.key);
    expect(await reloaded(before)).toEqual({ sameCa: false, sameServer: false });
    expect(
      new X509Certificate(await load().then((it) => it.cert)).verify(new X509Certificate(own.certificate).publicKey),
    ).toBe(true);
  });

  test("the key of the CA is needed only to issue", async () => {
    const before = await load();
    rmSync(file("ca.key"));
    expect(await reloaded(before)).toEqual({ sameCa: true, sameServer: true });
    await expect(load(["new.example.com"])).rejects.toThrow(CertificateError);
    expect(readFileSync(file("server.pem"), "utf8")).toBe(before.cert);
  });

  test("a CA near its end is replaced, with a warning", async () => {
    const before = await load();
    await clock.advance(3_630 * DAY);
    expect(await reloaded(before)).toEqual({ sameCa: false, sameServer: false });
    expect(warnings.join()).toContain("tls_authority_renewed");
  });
});

describe("files of the user's", () => {
  const validity = () => ({ notBefore: clock.now() - DAY, notAfter: clock.now() + 90 * DAY });
  async function ownFiles() {
    const authority = await issueAuthority(validity());
    const server = await issueServer(authority, ["own.example.com"], validity());
    writeFileSync(join(folder, "own.pem"), server.certificate);
    writeFileSync(join(folder, "own.key"), server.key);
    writeFileSync(join(folder, "ca.pem"), authority.certificate);
    return { authority, server };
  }
  const own = (change: object = {}) =>
    loadServerTls({
      folder: join(folder, "tls"),
      own: { certFile: join(folder, "own.pem"), keyFile: join(folder, "own.key"), ...change },
      clock,
      log,
    });

  test("are used as they are, and nothing is made", async () => {
    const { authority, server } = await ownFiles();
    const ca = join(folder, "ca.pem");
    expect(await own({ caFile: ca })).toEqual({ cert: server.certificate, key: server.key, ca: authority.certificate });
    expect((await own()).ca).toBeUndefined();
    expect(existsSync(join(folder, "tls"))).toBe(false);
    expect(warnings).toEqual([]);
  });

  test.each([
    [
      "the key is another's",
      () => writeFileSync(join(folder, "own.key"), readFileSync(join(folder, "other.key"))),
      "is not the key",
    ],
    ["there is no certificate", () => writeFileSync(join(folder, "own.pem"), "nothing"), "holds no certificate"],
    ["there is no key", () => writeFileSync(join(folder, "own.key"), "nothing"), "holds no private key"],
    [
      "the key is encrypted",
      () => writeFileSync(join(folder, "own.key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----"),
      "is encrypted",
    ],
    ["a file is missing", () => rmSync(join(folder, "own.pem")), "cannot be read"],
  ])("are refused when %s", async (_rule, damage, reason) => {
    await ownFiles();
    writeFileSync(join(folder, "other.key"), (await issueAuthority(validity())).key);
    damage();
    await expect(own()).rejects.toThrow(CertificateError);
    await expect(own()).rejects.toThrow(reason);
  });

  test("are refused when expired, and told of 30 days before", async () => {
    await ownFiles();
    await clock.advance(61 * DAY);
    await own();
    expect(warnings.join()).toContain("expires on 2026-04-01");
    await clock.advance(30 * DAY);
    await expect(own()).rejects.toThrow("expired on");
  });

  test("are told of when the CA file is another's", async () => {
    await ownFiles();
    writeFileSync(join(folder, "ca.pem"), (await issueAuthority(validity())).certificate);
    await own({ caFile: join(folder, "ca.pem") });
    expect(warnings.join()).toContain("was not issued by");
  });
});

test("a client that trusts the CA connects by name and by address; one that does not is refused", async () => {
  clock = manualClock(systemClock.now());
  const { cert, key, ca = "" } = await load();
  const server = createServer({ cert, key }, (socket) => socket.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  const talk = (options: object) =>
    new Promise<string>((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", ...options }, () =>
        socket.on("data", (it) => resolve(String(it))),
      );
      socket.on("error", reject);
    });
  try {
    expect(await talk({ ca })).toBe("hello");
    expect(await talk({ ca, servername: "localhost" })).toBe("hello");
    await expect(talk({ ca, servername: "other.example.com" })).rejects.toThrow();
    await expect(talk({})).rejects.toThrow();
  } finally {
    server.close();
  }
});

const openssl = Bun.which("openssl");
const required = process.env.ISLET_REQUIRE_TOOLS === "1";
if (!openssl && !required) console.log("skipped: openssl is not installed");
test.skipIf(!openssl && !required)("openssl verifies the chain and reads the extensions", async () => {
  const run = (...args: string[]) => Bun.spawnSync(["openssl", ...args]).stdout.toString();
  await load(["islet.example.com"]);
  chmodSync(folder, 0o700);
  const at = String(Math.floor(clock.now() / 1_000));
  const verify = ["verify", "-x509_strict", "-attime", at, "-CAfile", file("ca.pem")];
  expect(
    run(...verify, "-purpose", "sslserver", "-verify_hostname", "islet.example.com", file("server.pem")),
  ).toContain("OK");
  expect(run(...verify, "-verify_ip", "::1", file("server.pem"))).toContain("OK");
  expect(run(...verify, file("ca.pem"))).toContain("OK");
  const text = run("x509", "-noout", "-text", "-in", file("server.pem"));
  for (const part of [
    "Signature Algorithm: sha256WithRSAEncryption",
    "Public-Key: (2048 bit)",
    "X509v3 Basic Constraints: critical\n                CA:FALSE",
    "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment",
    "TLS Web Server Authentication",
    "X509v3 Subject Key Identifier",
    "X509v3 Authority Key Identifier",
  ])
    expect(text).toContain(part);
  expect(run("x509", "-noout", "-text", "-in", file("ca.pem"))).toContain("CA:TRUE, pathlen:0");
  expect(run("pkey", "-noout", "-check", "-in", file("server.key"))).toContain("Key is valid");
});

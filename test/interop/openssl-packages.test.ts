import { describe, expect } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { unzipSync } from "fflate";
import { APP_A } from "../../src/capabilities/devices/testing/device-bench";
import { parsePrivateKey } from "../../src/capabilities/packages/signature";
import { CONTENT, sampleDesc, signed, softwareZip, zip } from "../../src/capabilities/packages/testing/archives";
import { packageBench } from "../../src/capabilities/packages/testing/package-bench";
import { withProgram } from "../support/foreign";
import { runIslet, temporaryFolder } from "../support/islet";

const openssl = withProgram("openssl");
function run(...words: string[]): string {
  const { exitCode, stdout, stderr } = Bun.spawnSync([openssl.path, ...words]);
  if (exitCode !== 0) throw new Error(`openssl ${words.join(" ")}: ${stderr}`);
  return stdout.toString();
}

/** Of the same product as `softwareZip`. */
async function bench(publicPem: string) {
  const made = packageBench();
  await made.importProduct();
  await made.publicKeys.put(APP_A, "Test Manufacturer", publicPem);
  return made;
}

describe.each([
  ["ecdsa-p256", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]],
  ["rsa-3072", ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]],
] as const)("%s", (algorithm, generate) => {
  openssl.test("a package that OpenSSL has signed is taken", async () => {
    using folder = temporaryFolder();
    const at = (name: string) => join(folder.path, name);
    run(...generate, "-out", at("private.pem"));
    run("pkey", "-in", at("private.pem"), "-pubout", "-out", at("public.pem"));
    const files = {
      "DM/linux/UpgradeDesc.json": Buffer.from(JSON.stringify(sampleDesc())),
      "linux/Meter_V1.0.10.pkg": CONTENT,
    };
    // As a script would write it: in another order, with blanks.
    const manifest = Object.entries(files).map(([path, bytes]) => ({
      ...{ sha256: createHash("sha256").update(bytes).digest("hex").toUpperCase(), size: bytes.length, path },
    }));
    writeFileSync(at("manifest.json"), JSON.stringify(manifest.reverse(), null, 4));
    run("dgst", "-sha256", "-sign", at("private.pem"), "-out", at("manifest.sig"), at("manifest.json"));
    const archive = zip({
      "META/manifest.json": readFileSync(at("manifest.json")),
      "META/manifest.sig": readFileSync(at("manifest.sig")),
      ...files,
    });
    const { upload } = await bench(readFileSync(at("public.pem"), "utf8"));
    expect(await upload(archive)).toMatchObject({ version: "V1.0.10", size: CONTENT.length });
  });

  openssl.test("OpenSSL reads our keys and verifies our signature", async () => {
    using folder = temporaryFolder();
    const at = (name: string) => join(folder.path, name);
    const made = await runIslet(["sign", "keygen", folder.path, "--algorithm", algorithm], {
      ISLET_SIGN_PASSWORD: "pw",
    });
    expect(made).toMatchObject({ code: 0, err: "" });
    expect(run("pkey", "-in", at("private.pem"), "-passin", "pass:pw", "-pubout")).toBe(
      readFileSync(at("public.pem"), "utf8"),
    );
    const key = parsePrivateKey(readFileSync(at("private.pem"), "utf8"), "pw");
    const files = unzipSync(await signed(softwareZip(), key));
    for (const name of ["manifest.json", "manifest.sig"]) writeFileSync(at(name), files[`META/${name}`] ?? "");
    const words = ["-verify", at("public.pem"), "-signature", at("manifest.sig"), at("manifest.json")];
    expect(run("dgst", "-sha256", ...words)).toBe("Verified OK\n");
  });
});

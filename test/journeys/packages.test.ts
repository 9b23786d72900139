import { Database } from "bun:sqlite";
import { expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { signed, zip } from "../../src/capabilities/packages/testing/archives";
import { seededRandom } from "../../src/platform/testing/seeded-random";
import { application, operator, setUp } from "../support/api";
import { eventually } from "../support/eventually";
import { runIslet, startIslet, temporaryFolder } from "../support/islet";
import { packageDesk, SENSOR, signedSoftware, softwarePackage } from "../support/packages";

setDefaultTimeout(120_000);

const CATEGORY = "/iodm/northbound/v1.5.0/category";
type Listed = { data: { fileId: string; version: string }[]; totalCount: number };

test("a manufacturer signs, an operator uploads, an application sees and deletes; backup and restore keep it", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  writeFileSync(at("password"), "s3cret words\n");
  const islet = (...words: string[]) => runIslet(words);
  expect(await islet("sign", "keygen", folder.path, "--password-file", at("password"))).toMatchObject({
    code: 0,
    err: "",
  });
  expect(statSync(at("private.pem")).mode & 0o777).toBe(0o600);
  const content = randomBytes(300_000);
  writeFileSync(at("app.zip"), softwarePackage("V2", content));
  const sign = ["sign", "sign", at("app.zip"), "--key", at("private.pem"), "--password-file", at("password")];
  expect(await islet(...sign)).toMatchObject({
    code: 0,
    err: "",
    out: `${at("app_signed.zip")}: software V2, signed\n`,
  });
  const verify = await islet("sign", "verify", at("app_signed.zip"), "--public-key", at("public.pem"));
  expect(verify).toMatchObject({
    code: 0,
    out: `${at("app_signed.zip")}: the signature is right: software V2, 2 files\n`,
  });

  const data = at("data");
  let server = await startIslet({ data });
  const its = await setUp(server);
  const desk = await packageDesk(server, its, readFileSync(at("public.pem"), "utf8"));
  const archive = readFileSync(at("app_signed.zip"));
  const stored = await desk.upload(archive, { fileType: "softwarePackage" });
  expect(stored).toMatchObject({ status: 201, body: { version: "V2", size: 300_000 } });
  expect(await desk.upload(archive, { fileType: "softwarePackage" })).toMatchObject({
    status: 409,
    body: { code: "PACKAGE_EXISTS" },
  });
  expect(await desk.upload(await signedSoftware("V3", content), { fileType: "softwarePackage" })).toMatchObject({
    status: 422, // by another key
    body: { code: "PACKAGE_INVALID", details: { file: "META/manifest.sig" } },
  });
  const { fileId } = stored.body;
  expect(readFileSync(join(data, "packages", fileId)).equals(content)).toBe(true);
  const listed = await its.app<Listed>("GET", `${CATEGORY}?version=V2`);
  expect(listed.body).toMatchObject({ totalCount: 1, data: [{ fileId, fileType: "softwarePackage", ...SENSOR }] });
  const other = await setUp(server, "other");
  expect((await other.app<Listed>("GET", CATEGORY)).body.totalCount).toBe(0);
  expect(await other.app("DELETE", `${CATEGORY}/${fileId}`)).toMatchObject({
    status: 404,
    body: { error_code: "123002" },
  });
  const download = await fetch(`http://${server.ready.http}/ota/v1/packages/${fileId}`);
  expect(download.status).toBe(401);

  expect(await islet("backup", at("b.tgz"), "--data", data)).toMatchObject({ code: 0 });
  expect((await its.app("DELETE", `${CATEGORY}/${fileId}`)).status).toBe(200);
  expect(await its.app("GET", `${CATEGORY}/${fileId}`)).toMatchObject({ status: 404, body: { error_code: "123002" } });
  await eventually(
    async () => readdirSync(join(data, "packages")),
    (names) => names.join() === "incoming",
  );
  expect(await server.stop()).toBe(0);
  expect(await islet("restore", at("b.tgz"), "--data", data)).toMatchObject({ code: 0 });
  server = await startIslet({ data });
  const app = await application(server, its.appId, its.appSecret);
  expect((await app("GET", `${CATEGORY}/${fileId}`)).status).toBe(200);
  expect(readFileSync(join(data, "packages", fileId)).equals(content)).toBe(true);
  expect(await server.stop()).toBe(0);
});

test("sign tells what is wrong, in time", async () => {
  using folder = temporaryFolder();
  const at = (name: string) => join(folder.path, name);
  writeFileSync(at("pw"), "right\n");
  writeFileSync(at("wrong"), "wrong\n");
  const islet = async (...words: string[]) => {
    const { code, out, err } = await runIslet(words);
    return `${code} ${out}${err}`.replaceAll(folder.path, "DIR");
  };
  const pw = ["--password-file", at("pw")];
  expect(await islet("sign", "keygen", folder.path, "--algorithm", "rsa-3072", ...pw)).toStartWith(
    "0 DIR/public.pem: upload this one",
  );
  expect(await islet("sign", "keygen", folder.path, ...pw)).toBe("1 DIR/public.pem exists already\n");
  expect(await islet("sign", "keygen", at("none"), ...pw)).toBe("1 there is no folder DIR/none\n");
  expect(await islet("sign", "keygen", folder.path, "--algorithm", "md5")).toStartWith(
    "2 --algorithm is ecdsa-p256 or rsa-3072",
  );
  writeFileSync(at("fw.zip"), zip({ "fw.bin": "firmware" }));
  writeFileSync(at("bad.zip"), softwarePackage("a version that is far too long", Buffer.from("x")));
  writeFileSync(at("fw.rar"), "Rar!");
  const key = ["--key", at("private.pem")];
  expect(await islet("sign", "sign", at("fw.zip"), ...key, "--password-file", at("wrong"))).toBe(
    "1 DIR/private.pem cannot be read: is the password right?\n",
  );
  expect(await islet("sign", "sign", at("fw.zip"), ...key, "--password", "right")).toStartWith(
    "2 passwords do not belong on the command line",
  );
  expect(await islet("sign", "sign", at("fw.zip"), ...key)).toBe("1 there is no terminal to ask for the password at\n");
  expect(await islet("sign", "sign", at("fw.rar"), ...key, ...pw)).toStartWith("2 only a .zip can be signed");
  expect(await islet("sign", "sign", at("bad.zip"), ...key, ...pw)).toBe(
    "1 DIR/bad.zip: DM/linux/UpgradeDesc.json: $.version is longer than 16 bytes\n",
  );
  expect(readdirSync(folder.path)).not.toContain("bad_signed.zip");
  expect(await islet("sign", "sign", at("fw.zip"), ...key, ...pw)).toBe("0 DIR/fw_signed.zip: firmware, signed\n");
  const first = readFileSync(at("fw_signed.zip"));
  expect(await islet("sign", "sign", at("fw.zip"), ...key, ...pw)).toStartWith("0 ");
  expect(readFileSync(at("fw_signed.zip")).equals(first)).toBe(true); // RSA: the same file again
  expect(await islet("sign", "sign", at("fw_signed.zip"), ...key, ...pw)).toBe(
    "1 DIR/fw_signed.zip: META/manifest.json: is there already: the package is signed\n",
  );
  const verify = (name: string) => islet("sign", "verify", at(name), "--public-key", at("public.pem"));
  expect(await verify("fw_signed.zip")).toBe("0 DIR/fw_signed.zip: the signature is right: firmware, 1 files\n");
  expect(await verify("fw.zip")).toBe("1 DIR/fw.zip: META/manifest.json: is missing: the package is not signed\n");
  writeFileSync(at("changed.zip"), Buffer.concat([first.subarray(0, 38), Buffer.from("X"), first.subarray(39)]));
  expect(await verify("changed.zip")).toStartWith("1 DIR/changed.zip: fw.bin: is ");
  writeFileSync(at("foreign.zip"), await signed(zip({ "fw.bin": "firmware" })));
  expect(await verify("foreign.zip")).toBe(
    "1 DIR/foreign.zip: META/manifest.sig: is not the signature of the manifest by this key\n",
  );
  expect(await islet("sign", "verify", at("fw_signed.zip"), "--public-key", at("private.pem"))).toStartWith(
    "1 DIR/private.pem is a private key",
  );
  expect(await islet("sign")).toStartWith("2 keygen, sign or verify is missing");
  expect(await islet("sign", "keygen", "--help")).toStartWith("0 usage: islet sign keygen DIR");
});

test("kill -9 in the middle of uploads and removals: every row has its file, and nothing else stays", async () => {
  const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
  console.log(`SEED=${seed}`);
  const random = seededRandom(seed);
  using folder = temporaryFolder();
  const content = randomBytes(3_000_000);
  let server = await startIslet({ data: folder.path });
  const its = await setUp(server);
  let known = new Set<string>();
  let survivedUploads = 0;
  for (let round = 0; round < 6; round++) {
    const manage = await operator(server);
    const desk = await packageDesk(server, { ...its, manage });
    const acknowledged = new Set<string>();
    const removed = new Set<string>();
    const uploads = [0, 1, 2].map(async (index) => {
      for (let count = 0; server.isRunning; count++) {
        const archive = await signedSoftware(`${round}.${index}.${count}`, content);
        const answer = await desk.upload(archive, { fileType: "softwarePackage" }).catch(() => undefined);
        if (answer?.status === 201) acknowledged.add(answer.body.fileId);
      }
    });
    const removals = (async () => {
      for (const fileId of [...known].slice(0, 3)) {
        const answer = await manage("DELETE", `/packages/${fileId}`).catch(() => undefined);
        if (answer?.status === 204) removed.add(fileId);
      }
    })();
    await Bun.sleep(150 + random() * 600); // somewhere in the middle: which step is chance
    await server.crash();
    await Promise.all([...uploads, removals]);
    server = await startIslet({ data: folder.path });
    const db = new Database(join(folder.path, "registry.db"), { readonly: true });
    const rows = db
      .query<{ file_id: string }, []>("SELECT file_id FROM upgrade_package")
      .all()
      .map((row) => row.file_id);
    db.close();
    const files = readdirSync(join(folder.path, "packages")).filter((name) => name !== "incoming");
    expect(files.toSorted()).toEqual(rows.toSorted());
    for (const fileId of files) expect(readFileSync(join(folder.path, "packages", fileId)).equals(content)).toBe(true);
    expect(readdirSync(join(folder.path, "packages", "incoming"))).toEqual([]);
    for (const fileId of acknowledged) expect(rows).toContain(fileId);
    for (const fileId of removed) expect(rows).not.toContain(fileId);
    survivedUploads += acknowledged.size;
    known = new Set(rows);
  }
  expect(survivedUploads).toBeGreaterThan(0);
  expect(server.errors).not.toContain("package.file");
  await server.stop();
});

test("a large upload costs no memory, and one that breaks off leaves nothing", async () => {
  using folder = temporaryFolder();
  await using server = await startIslet({ data: folder.path });
  const its = await setUp(server);
  const desk = await packageDesk(server, its);
  const archive = await signed(zip({ "fw.bin": randomBytes(150_000_000) }));
  const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1]) / 1_024;
  const before = rss();
  let peak = before;
  const watching = setInterval(() => {
    peak = Math.max(peak, rss());
  }, 20);
  const { manufacturerName, deviceType, model, protocolType } = SENSOR;
  const fields = { fileType: "firmwarePackage", version: "1", manufacturerName, deviceType, model, protocolType };
  expect(await desk.upload(archive, fields)).toMatchObject({ status: 201, body: { size: 150_000_000 } });
  clearInterval(watching);
  console.log(`an upload of 150 MB: ${Math.round(peak - before)} MB more memory at most`);
  // Pieces that are collected late: some 150 MB after an upload of 50 MB, 200 MB after one of 150 MB.
  expect(peak - before).toBeLessThan(280);

  const { hostname, port } = new URL(desk.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `POST ${new URL(desk.url).pathname} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${desk.token}\r\nContent-Length: 100000000\r\n` +
      'Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\nPK',
  );
  const incoming = () => readdirSync(join(folder.path, "packages", "incoming"));
  await eventually(
    async () => incoming(),
    (names) => names.length === 1,
  );
  socket.destroy();
  await eventually(
    async () => incoming(),
    (names) => names.length === 0,
  );
});

import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { signPackage, verifyPackage } from "../../capabilities/packages/sign-package";
import {
  makeKeyPair,
  parsePrivateKey,
  parsePublicKey,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
} from "../../capabilities/packages/signature";
import { DomainError } from "../../platform/domain-error";
import { expectWords, parseArguments, UsageError } from "./arguments";
import type { Command, Terminal } from "./command";
import { readPassword } from "./read-password";

const PASSWORD_VARIABLE = "ISLET_SIGN_PASSWORD";
const MANUALS: Readonly<Record<string, string>> = {
  keygen: `islet sign keygen DIR [--algorithm ${SIGNATURE_ALGORITHMS.join("|")}] [--password-file FILE]
  writes DIR/public.pem, which is uploaded to the platform, and DIR/private.pem, which stays with you, encrypted`,
  sign: `islet sign sign PACKAGE.zip --key private.pem [--password-file FILE]
  checks the package as the platform does and writes PACKAGE_signed.zip beside it`,
  verify: `islet sign verify PACKAGE_signed.zip --public-key public.pem
  tells whether the package is what was signed, and what is wrong otherwise`,
};
const PASSWORD_MANUAL = `The password of the private key is asked for, or comes from ${PASSWORD_VARIABLE} or the first line of FILE.`;

export const signCommand: Command = {
  usage: "sign keygen|sign|verify …",
  about: "signs upgrade packages, without a server: keys of a manufacturer, signatures and their check",
  manual: ([step = ""]) => {
    const own = Object.hasOwn(MANUALS, step) ? MANUALS[step] : Object.values(MANUALS).join("\n");
    return `${own}\n${PASSWORD_MANUAL}`;
  },
  async run([step, ...words], terminal) {
    switch (step) {
      case "keygen":
        return keygen(words, terminal);
      case "sign":
        return sign(words, terminal);
      case "verify":
        return verify(words, terminal);
      default:
        throw new UsageError(step === undefined ? "keygen, sign or verify is missing" : `unknown step ${step}`);
    }
  },
};

async function keygen(words: readonly string[], terminal: Terminal): Promise<number> {
  const { positional, flags } = parseArguments(words);
  const [folder = ""] = expectWords(positional, "DIR");
  const { algorithm = "ecdsa-p256", ...rest } = flags;
  if (!isAlgorithm(algorithm)) throw new UsageError(`--algorithm is ${SIGNATURE_ALGORITHMS.join(" or ")}`);
  if (!existsSync(folder)) throw new Error(`there is no folder ${folder}`);
  const paths = { public: join(folder, "public.pem"), private: join(folder, "private.pem") };
  for (const path of Object.values(paths)) if (existsSync(path)) throw new Error(`${path} exists already`);
  const password = await passwordOf(rest, terminal, "new");
  const { publicKey, privateKey } = await makeKeyPair(algorithm, password);
  writeNew(paths.private, privateKey, 0o600);
  try {
    writeNew(paths.public, publicKey, 0o644);
  } catch (error) {
    rmSync(paths.private);
    throw error;
  }
  terminal.out(
    `${paths.public}: upload this one, for the manufacturer\n${paths.private}: keep this one, and its password\n`,
  );
  terminal.out(`${algorithm}, fingerprint ${parsePublicKey(publicKey).fingerprint}\n`);
  return 0;
}

async function sign(words: readonly string[], terminal: Terminal): Promise<number> {
  const { positional, flags } = parseArguments(words);
  const [file = ""] = expectWords(positional, "PACKAGE.zip");
  const { key: keyFile, ...rest } = flags;
  if (keyFile === undefined) throw new UsageError("--key is missing");
  if (!/\.zip$/i.test(file)) throw new UsageError("only a .zip can be signed");
  const pem = readText(keyFile);
  const password = /ENCRYPTED/.test(pem) ? await passwordOf(rest, terminal, "known") : undefined;
  const key = about(keyFile, () => parsePrivateKey(pem, password));
  const signed = join(dirname(file), `${basename(file).slice(0, -".zip".length)}_signed.zip`);
  return withFile(file, terminal, async (handle) => {
    const { kind, version } = await signPackage(handle, basename(file), key, signed);
    terminal.out(`${signed}: ${kind}${version === undefined ? "" : ` ${version}`}, signed\n`);
  });
}

async function verify(words: readonly string[], terminal: Terminal): Promise<number> {
  const { positional, flags } = parseArguments(words);
  const [file = ""] = expectWords(positional, "PACKAGE_signed.zip");
  const { "public-key": keyFile, ...unknown } = flags;
  refuseUnknown(unknown);
  if (keyFile === undefined) throw new UsageError("--public-key is missing");
  const { key } = about(keyFile, () => parsePublicKey(readText(keyFile)));
  return withFile(file, terminal, async (handle) => {
    const { kind, version, files } = await verifyPackage(handle, basename(file), key);
    terminal.out(
      `${file}: the signature is right: ${kind}${version === undefined ? "" : ` ${version}`}, ${files} files\n`,
    );
  });
}

/** 1, with what is wrong on standard error, when the package is at fault. */
async function withFile(
  file: string,
  { err }: Terminal,
  work: (handle: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<number> {
  const handle = await open(file, "r");
  try {
    await work(handle);
    return 0;
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const { file: part, path, reason } = error.details;
    err(`${file}: ${part === basename(file) ? "" : `${part}: `}${path === "$" ? "" : `${path} `}${reason}\n`);
    return 1;
  } finally {
    await handle.close();
  }
}

/** A private key on disk, whole, before anybody is told of it. */
function writeNew(path: string, text: string, mode: number): void {
  const descriptor = openSync(path, "wx", mode);
  try {
    writeSync(descriptor, text);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

async function passwordOf(
  flags: Readonly<Record<string, string>>,
  terminal: Terminal,
  which: "new" | "known",
): Promise<string> {
  const { "password-file": file, ...unknown } = flags;
  refuseUnknown(unknown);
  const given = file === undefined ? terminal.environment[PASSWORD_VARIABLE] : firstLine(readText(file));
  const password = given ?? (await readPassword(terminal, which));
  if (password === "") throw new Error("the password is empty");
  return password;
}

function refuseUnknown(flags: Readonly<Record<string, string>>): void {
  const [unknown] = Object.keys(flags);
  if (unknown === "password")
    throw new UsageError("passwords do not belong on the command line, where others see them");
  if (unknown !== undefined) throw new UsageError(`--${unknown} is not known`);
}

const isAlgorithm = (text: string): text is SignatureAlgorithm => SIGNATURE_ALGORITHMS.some((it) => it === text);
const readText = (file: string) => readFileSync(file, "utf8");
const firstLine = (text: string) => text.split(/\r?\n/, 1)[0] ?? "";

function about<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new Error(`${file} ${error instanceof Error ? error.message : String(error)}`);
  }
}

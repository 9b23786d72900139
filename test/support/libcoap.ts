/** libcoap's programs, as devices and as their makers use them. */
import { eventually } from "./eventually";
import { withProgram } from "./foreign";

export const clients = {
  plain: withProgram("coap-client-notls"),
  gnutls: withProgram("coap-client-gnutls"),
  openssl: withProgram("coap-client-openssl"),
};
export const server = withProgram("coap-server-notls");

export type Answer = {
  /** `2.05`; undefined: no answer came. */
  readonly code: string | undefined;
  readonly payload: string;
  /** Of a registration: `/rd/x`. */
  readonly location: string;
  /** Messages that came, each as the program prints it. */
  readonly messages: readonly string[];
  /** All that was printed. */
  readonly output: string;
};

type Options = {
  method?: "get" | "post" | "put" | "delete" | "fetch";
  payload?: string;
  /** Content format of the payload. */
  format?: number;
  blockSize?: number;
  /** The key is what the program takes as it is written: there is no way to give it in hexadecimal. */
  login?: { identity: string; key: string };
  /** How long an answer is waited for. */
  seconds?: number;
  more?: string[];
};

/** Asks once. `uri` with scheme, address and query. */
export async function ask(client: { path: string }, uri: string, options: Options = {}): Promise<Answer> {
  const { method = "get", payload, format, blockSize, login, seconds = 5, more = [] } = options;
  const given = (flag: string, value: string | number | undefined) => (value === undefined ? [] : [flag, `${value}`]);
  const command = [
    ...[client.path, "-v", "7", "-B", `${seconds}`, "-m", method],
    ...[...given("-e", payload), ...given("-t", format), ...given("-b", blockSize)],
    ...[...given("-u", login?.identity), ...given("-k", login?.key), ...more, uri],
  ];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "pipe", stdin: "ignore" });
  const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  await child.exited;
  const output = out + err;
  const messages = [...output.matchAll(/v:1 t:(?:CON|NON|ACK|RST) c:[0-9].*$/gm)].map(([line]) => line);
  const last = messages.findLast((message) => !message.includes(" c:0.00 ")) ?? "";
  return {
    code: / c:(\d\.\d\d) /.exec(last)?.[1],
    payload: / :: '(.*)'$/.exec(last)?.[1] ?? "",
    location: [...last.matchAll(/Location-Path:([^, ]+)/g)].map(([, segment]) => `/${segment}`).join(""),
    messages,
    output,
  };
}

/** `coap-server` at a port that the caller has found; resources come into being by PUT, and can be observed. */
export async function startCoapServer(port: number) {
  const command = [server.path, "-A", "127.0.0.1", "-p", `${port}`, "-d", "20"];
  const child = Bun.spawn(command, { stdout: "ignore", stderr: "ignore", stdin: "ignore" });
  const uri = (path: string) => `coap://127.0.0.1:${port}${path}`;
  await eventually(
    () => ask(clients.plain, uri("/"), { seconds: 1 }),
    ({ code }) => code === "2.05",
  );
  return {
    /** Sets what the resource is, from the inside of the device so to say. */
    async put(path: string, payload: string, format: number): Promise<void> {
      const { code, output } = await ask(clients.plain, uri(path), { method: "put", payload, format });
      if (code !== "2.01" && code !== "2.04") throw new Error(output);
    },
    get: (path: string) => ask(clients.plain, uri(path)),
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
    },
  };
}

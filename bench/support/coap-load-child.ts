/** The process of the CoAP load: one result as JSON on standard output. */
import { readFileSync } from "node:fs";
import { systemClock } from "../../src/platform/clock";
import { runCoapLoad, runHandshakeLoad, SECURE_SETTINGS, udpNetwork } from "../../src/simulator";
import { CIPHER_SUITES } from "../../src/wire/dtls";
import type { NbLoad } from "./nb-load";

const load = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8")) as NbLoad;
const { server, devices, warmUpSeconds, seconds } = load;
const suites = CIPHER_SUITES.filter(({ cipher }) => cipher === load.cipher);
const secure = load.cipher && { ...SECURE_SETTINGS, suites };
const common = { network: udpNetwork(server), devices, warmUpSeconds, seconds };
if (load.send === "handshakes") {
  if (!secure) throw new Error("handshakes need a cipher");
  console.log(JSON.stringify(await runHandshakeLoad({ ...common, secure }, systemClock)));
} else {
  const send = load.send.kind === "gets" ? load.send : { ...load.send, payload: Uint8Array.fromHex(load.send.payload) };
  const { window } = load;
  const options = { ...common, secure, send, window, repeatAfterMs: 1_000, connecting: 20 };
  console.log(JSON.stringify(await runCoapLoad(options, systemClock)));
}
process.exit(0);

/** Where an NB-IoT device gets its firmware: from the server that it is registered at, from another one, over HTTP. */
import type { Clock } from "../../platform/clock";
import type { BlockSize, CoapMessage, TransmissionParameters } from "../../wire/coap";
import { createCoapNode, type RequestResult } from "../coap-node";
import type { Network, UdpSocket } from "../network";
import { type Channel, plainChannel, type SecureSettings, secureChannel } from "../secure-channel";
import { type FetchedPiece, fetchCoapPiece } from "./coap-pieces";
import { fetchHttpPiece } from "./http-pieces";

export type PackageServers = {
  /** The server is the one of the registration, and is asked the same way: with the same session, if there is one. */
  readonly isOwn: (url: URL) => boolean;
  /** The way to another one. */
  readonly open: (server: { readonly host: string; readonly port: number }) => Network;
  readonly blockSize: BlockSize;
  /** Bytes of a piece over HTTP. */
  readonly httpPieceBytes: number;
};

type Request = (message: Pick<CoapMessage, "code" | "options" | "payload">) => Promise<RequestResult>;
type Parts = {
  /** At the own server. */
  readonly ask: Request;
  readonly identity: string;
  readonly psk: Uint8Array | undefined;
  readonly secure: SecureSettings | undefined;
  readonly transmission: TransmissionParameters;
  readonly clock: Clock;
  readonly random: () => number;
};
type Other = { readonly origin: string; readonly request: Request; end(): void };

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "coap:": 5683, "coaps:": 5684 };

export function createPackageFetcher(servers: PackageServers, parts: Parts) {
  const ending = new AbortController();
  let other: Promise<Other> | undefined;
  let otherOrigin: string | undefined;

  async function connectTo(url: URL): Promise<Other> {
    const { clock, random, transmission, secure, identity, psk } = parts;
    const host = url.hostname.replace(/^\[|\]$/g, "");
    const port = url.port === "" ? (DEFAULT_PORTS[url.protocol] as number) : Number(url.port);
    let socket: UdpSocket | undefined;
    const ends = {
      send: (datagram: Uint8Array) => socket?.send(datagram),
      deliver: (datagram: Uint8Array): void => node.receive(datagram),
    };
    const randomBytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256));
    const channel: Channel =
      url.protocol === "coaps:" && secure && psk
        ? secureChannel({
            ...ends,
            identity: Buffer.from(identity),
            psk,
            settings: secure,
            clock,
            randomBytes,
            on: { handshake() {} },
          })
        : plainChannel(ends);
    const node = createCoapNode({
      send: (datagram) => channel.send(datagram),
      clock,
      random,
      transmission,
      answer: () => undefined,
      on: { duplicate() {}, reset() {} },
    });
    socket = await servers.open({ host, port }).open({ host: undefined, port: 0 }, (it) => channel.receive(it));
    return {
      origin: url.origin,
      request: async (message) => ((await channel.ready()) ? node.request(message) : { kind: "noAcknowledgement" }),
      end() {
        node.abandon();
        channel.forget();
        socket?.close();
      },
    };
  }

  async function askOther(url: URL): Promise<Request> {
    const origin = `${url.protocol}//${url.host}`;
    if (otherOrigin !== origin) {
      void other?.then((it) => it.end());
      otherOrigin = origin;
      other = connectTo(url);
    }
    try {
      return (await (other as Promise<Other>)).request;
    } catch {
      otherOrigin = undefined; // there is no way there now; the next piece tries again
      other = undefined;
      return () => Promise.resolve({ kind: "noAcknowledgement" });
    }
  }

  return {
    /** Never rejects. */
    async fetchPiece(text: string, offset: number): Promise<FetchedPiece> {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      if (!url) return { cause: "uri" };
      if (url.protocol === "http:" || url.protocol === "https:") {
        const { httpPieceBytes: pieceBytes } = servers;
        const piece = await fetchHttpPiece(text, offset, { pieceBytes, token: undefined, signal: ending.signal });
        return "cause" in piece ? { cause: piece.cause === "refused" ? "uri" : "connection" } : piece;
      }
      const isSecure = url.protocol === "coaps:";
      if (DEFAULT_PORTS[url.protocol] === undefined || (isSecure && !parts.secure)) return { cause: "protocol" };
      const request = servers.isOwn(url) ? parts.ask : await askOther(url);
      return fetchCoapPiece(text, offset, servers.blockSize, request);
    },
    end(): void {
      ending.abort();
      void other?.then((it) => it.end()).catch(() => {});
    },
  };
}

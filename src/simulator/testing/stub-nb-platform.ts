import type { Clock } from "../../platform/clock";
import { CODES, type CoapMessage, DEFAULT_TRANSMISSION, OPTIONS, option, pathOptions } from "../../wire/coap";
import type { ResumableSession } from "../../wire/dtls";
import { TestServer } from "../../wire/dtls/testing/test-server";
import { type CoapNode, createCoapNode, type NodeRequest, type NodeResponse, type RequestResult } from "../coap-node";
import type { Network } from "../network";

export type StubPlatform = ReturnType<typeof stubPlatform>;

type Peer = { address: string; node: CoapNode; send(datagram: Uint8Array): void; dtls: TestServer | undefined };
type Registration = { ep: string; query: string; peer: Peer; style: "lwm2m" | "tup"; location: string };
type Options = {
  clock: Clock;
  random: () => number;
  /** Undefined: plain CoAP. By nodeId. */
  psks?: ReadonlyMap<string, Uint8Array>;
  connectionIds?: boolean;
};

const NOTHING = new Uint8Array(0);

/**
 * What a device sees of the platform, in one process with it: registrations, observations, and whatever a test wants to
 * send. Knows secure peers by session, and those with a connection id wherever they are.
 */
export function stubPlatform({ clock, random, psks, connectionIds = false }: Options) {
  const peers = new Map<string, Peer>();
  const byConnectionId = new Map<string, Peer>();
  const sessions = new Map<string, ResumableSession>();
  const registrations = new Map<string, Registration>();
  const log: string[] = [];
  const reports: { ep: string; payload: string; contentFormat: string }[] = [];
  /** Bodies that may be read, in blocks when they are large, by path. */
  const bodies = new Map<string, Uint8Array>();
  const behaviour = { isDeaf: false, observes: true, registers: true };
  let ports = 50_000;
  let ids = 0;
  const taken = new Set<number>();
  const randomBytes = (length: number) => Uint8Array.from({ length }, () => Math.floor(random() * 256));

  function newPeer(address: string, reply: (datagram: Uint8Array) => void): Peer {
    const id = connectionIds ? Uint8Array.of(0, ++ids >> 8, ids & 0xff) : NOTHING;
    const peer: Peer = {
      address,
      send: reply,
      dtls:
        psks &&
        new TestServer({
          address,
          pskOf: (identity) => psks.get(Buffer.from(identity).toString()) ?? randomBytes(16),
          connectionId: id,
          sessions,
          maxDatagramBytes: 1_200,
          random: () => randomBytes(32),
        }),
      node: createCoapNode({
        send: (datagram) => {
          const bytes = peer.dtls ? peer.dtls.connection?.seal(datagram) : datagram;
          if (bytes) peer.send(bytes);
        },
        clock,
        random,
        transmission: DEFAULT_TRANSMISSION,
        answer: (request) => answer(peer, request),
        uplink: (message) => take(peer, message),
        on: { duplicate: () => log.push("duplicate"), reset: () => log.push("reset") },
      }),
    };
    peers.set(address, peer);
    if (connectionIds) byConnectionId.set(id.toHex(), peer);
    return peer;
  }

  function receive(address: string, datagram: Uint8Array, reply: (datagram: Uint8Array) => void): void {
    if (behaviour.isDeaf) return;
    const moved = datagram[0] === 25 ? byConnectionId.get(datagram.subarray(11, 14).toHex()) : undefined;
    const peer = moved ?? peers.get(address) ?? newPeer(address, reply);
    Object.assign(peer, { address, send: reply });
    if (!peer.dtls) {
      peer.node.receive(datagram);
      return;
    }
    const before = peer.dtls.connection;
    const answers = peer.dtls.receive(datagram, (content) => peer.node.receive(content));
    if (peer.dtls.connection !== before) log.push("hello");
    for (const bytes of answers) peer.send(bytes);
  }

  function answer(peer: Peer, request: NodeRequest): NodeResponse {
    const path = request.path.join("/");
    const query = request.query.join("&");
    const ep = request.query.find((it) => it.startsWith("ep="))?.slice(3) ?? "";
    if (request.code === CODES.post && (path === "rd" || path === "t/r")) {
      log.push(`register ${ep}`);
      if (!behaviour.registers) return { code: path === "rd" ? CODES.forbidden : CODES.internalServerError };
      const style = path === "rd" ? "lwm2m" : "tup";
      const registration: Registration = { ep, query, peer, style, location: `rd/${registrations.size + 1}` };
      registrations.set(ep, registration);
      if (behaviour.observes) clock.after(0, () => void observe(registration));
      if (style === "tup") return { code: CODES.changed };
      return { code: CODES.created, options: pathOptions(registration.location, "locationPath") };
    }
    const body = request.code === CODES.get ? bodies.get(path) : undefined;
    if (body) return { code: CODES.content, payload: body };
    const registration = [...registrations.values()].find(({ location }) => location === path);
    if (!registration) return { code: CODES.notFound };
    registration.peer = peer;
    log.push(request.code === CODES.delete ? `deregister ${registration.ep}` : `update ${registration.ep}`);
    if (request.code === CODES.delete) registrations.delete(registration.ep);
    return { code: request.code === CODES.delete ? CODES.deleted : CODES.changed };
  }

  async function observe({ ep, peer, style }: Registration): Promise<void> {
    const path = style === "lwm2m" ? "19/0/0" : "t/d";
    const result = await peer.node.request({
      code: CODES.get,
      options: [option("observe", 0), ...pathOptions(path)],
      payload: NOTHING,
    });
    if (result.kind !== "response") return void log.push(`observe ${ep}: ${result.kind}`);
    log.push(`observed ${ep}`);
    tokens.set(result.message.token.toHex(), ep);
    // When the answer is lost, the first report takes its place (RFC 7252 §5.2.2): it has the token.
    if (result.message.type !== "ack") take(peer, result.message);
  }
  const tokens = new Map<string, string>();
  /** Of observations that a test began itself. */
  const others = new Set<string>();

  /** A response that nobody waits for: a notification. False: RST. */
  function take(peer: Peer, message: CoapMessage): boolean {
    const ep = tokens.get(message.token.toHex());
    if (ep === undefined) {
      if (!others.has(message.token.toHex())) return false;
      log.push(`uplink without observation: ${Buffer.from(message.payload).toString()}`);
      return true;
    }
    const registration = registrations.get(ep);
    if (registration) registration.peer = peer;
    const format =
      message.options.find(({ number }) => number === OPTIONS.contentFormat.number)?.value.toHex() ?? "none";
    reports.push({ ep, payload: message.payload.toHex(), contentFormat: format });
    return true;
  }

  const network: Network = {
    open({ host = "192.0.2.1", port }, deliver) {
      const own = port === 0 ? ++ports : port;
      if (taken.has(own)) return Promise.reject(new Error("address in use"));
      taken.add(own);
      let isOpen = true;
      return Promise.resolve({
        port: own,
        send(datagram: Uint8Array) {
          if (!isOpen) return;
          receive(`${host}:${own}`, datagram.slice(), (bytes) => {
            if (isOpen) deliver(bytes.slice());
          });
        },
        close() {
          isOpen = false;
          taken.delete(own);
        },
      });
    },
  };

  return {
    network,
    receive,
    log,
    reports,
    registrations,
    bodies,
    behaviour,
    /** Ports in use, as if by others. */
    taken,
    /** A restart that lost what was in memory; `keepingSessions`: resumption still works. */
    forget({ keepingSessions = false } = {}): void {
      for (const { node } of peers.values()) node.abandon();
      peers.clear();
      byConnectionId.clear();
      registrations.clear();
      tokens.clear();
      if (!keepingSessions) sessions.clear();
    },
    /** Anything, to wherever the device was heard last. */
    async request(
      ep: string,
      code: number,
      path: string,
      { payload = NOTHING, options = [] as CoapMessage["options"] } = {},
    ): Promise<RequestResult> {
      const registration = registrations.get(ep);
      if (!registration) throw new Error(`${ep} is not registered`);
      const result = await registration.peer.node.request({
        code,
        options: [...pathOptions(path), ...options],
        payload,
      });
      if (result.kind === "response") others.add(result.message.token.toHex());
      return result;
    },
    command(ep: string, hex: string): Promise<RequestResult> {
      const style = registrations.get(ep)?.style;
      const payload = Uint8Array.fromHex(hex);
      return style === "tup"
        ? this.request(ep, CODES.post, "t/d", { payload })
        : this.request(ep, CODES.put, "19/1/0", { payload, options: [option("contentFormat", 42)] });
    },
  };
}

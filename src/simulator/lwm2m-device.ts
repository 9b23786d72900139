import type { Clock } from "../platform/clock";
import {
  CODES,
  CONTENT_FORMATS,
  OPTIONS,
  option,
  pathOptions,
  queryOptions,
  type TransmissionParameters,
} from "../wire/coap";
import { type LwM2mPath, renderPath } from "../wire/lwm2m";
import { accessStyles, type StyleName } from "./access-styles";
import { type CoapNode, createCoapNode, type NodeRequest, type NodeResponse } from "./coap-node";
import type { AnswerRule } from "./hex-template";
import { createDeviceObjects, type DeviceObjects, UPGRADABLE_OBJECT_LINKS } from "./lwm2m-objects";
import type { LocalAddress, Network, UdpSocket } from "./network";
import { type Channel, plainChannel, type SecureSettings, secureChannel } from "./secure-channel";
import type { UpgradeSettings } from "./upgrade/behaviour";
import { createLwm2mUpgrade, type UpgradeReports } from "./upgrade/lwm2m-upgrade";
import { createPackageFetcher, type PackageServers } from "./upgrade/package-fetcher";

export type Lwm2mDeviceSettings = {
  readonly style: StyleName;
  /** The device says that it sleeps (binding UQ), and does when nothing moved for `awakeMs`. */
  readonly queueMode: boolean;
  readonly awakeMs: number;
  readonly lifetimeSeconds: number;
  /** Reports as CON; else as NON, of which nobody knows whether they came. */
  readonly confirmable: boolean;
  /** How long after its registration a device waits to be observed: 10 s in LiteOS, 4 s with TUP. */
  readonly observeWaitMs: number;
  /** From a reboot to the next registration. */
  readonly rebootMs: number;
  readonly logBytes: number;
  readonly transmission: TransmissionParameters;
  /** Undefined: plain CoAP. */
  readonly secure: SecureSettings | undefined;
  /** The first that fits a command makes its answer. */
  readonly answers: readonly AnswerRule[];
  /** Undefined: it cannot be upgraded. */
  readonly upgrade?: DeviceUpgrade | undefined;
};
export type DeviceUpgrade = UpgradeSettings & {
  /** That runs at first. */
  readonly version: string;
  readonly servers: PackageServers;
  readonly on: UpgradeReports;
};

export type DeviceEvents = {
  registered(): void;
  /** Why, in words for people. */
  registrationFailed(reason: string): void;
  updated(): void;
  handshake(outcome: "full" | "resumed" | "failed"): void;
  /** Data of the platform; `times` is how often these very bytes were executed, with this one. */
  command(payload: Uint8Array, times: number): void;
  /** Sent by the rules for answers; `accepted` as for reports. */
  answered(accepted: boolean): void;
  /** The platform repeated a request, and it was not executed again. */
  duplicate(): void;
  rebooted(): void;
  slept(): void;
  moved(): void;
};

export type ReportOutcome =
  /** Acknowledged, or sent as NON. */
  | "accepted"
  /** No ACK after all repetitions, or RST: the next report begins with a new session or registration. */
  | "lost"
  /** There is no registration to report under. */
  | "notRegistered"
  | "stopped";

export type Lwm2mDevice = ReturnType<typeof startLwm2mDevice>;

type Parts = {
  readonly nodeId: string;
  /** For secure devices. */
  readonly psk?: Uint8Array | undefined;
  /** Where the device sends from at first; another port is taken when it moves or this one is not free. */
  readonly local?: LocalAddress;
  readonly network: Network;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly settings: Lwm2mDeviceSettings;
  readonly on: DeviceEvents;
};

/** After a registration in vain, when there is an upgrade to go on with. */
const COME_BACK_MS = 30_000;
const OBSERVE_WRAP = 2 ** 24;
const MAX_EXECUTIONS_KEPT = 1_000;
const ANY_PORT = 0;
const NOTHING = new Uint8Array(0);
const READ = {
  code: CODES.get,
  confirmable: true,
  query: [],
  contentFormat: undefined,
  accept: undefined,
  observe: undefined,
  token: NOTHING,
  payload: NOTHING,
} satisfies Omit<NodeRequest, "path">;
const MAX_PACKAGE_BYTES = 16 * 1024 * 1024;

/**
 * One NB-IoT module (nb-iot.md): registers when it has something to say, is observed, reports, takes commands, and
 * sleeps. Asleep it has no socket, so that it hears nothing, and costs next to nothing.
 */
export function startLwm2mDevice(parts: Parts) {
  const { nodeId, psk, network, clock, random, settings, on } = parts;
  const { queueMode, awakeMs, lifetimeSeconds, confirmable } = settings;
  const style = accessStyles[settings.style];
  const executions = new Map<string, number>();
  let local: LocalAddress = parts.local ?? { host: undefined, port: ANY_PORT };
  let socket: UdpSocket | undefined;
  let objects: DeviceObjects | undefined;
  /** Where to update; undefined: not registered. */
  let location: readonly string[] | undefined;
  /** The platform does not know where we are now. */
  let isStale = false;
  let uplinkToken: Uint8Array | undefined;
  let observed: PromiseWithResolvers<boolean> | undefined;
  let sequence = 0;
  const observers = new Map<string, { token: Uint8Array; sequence: number }>();
  let jobs = 0;
  let turn: Promise<unknown> = Promise.resolve();
  let lastMovedMs = 0;
  let cancelSleep: (() => void) | undefined;
  let cancelUpdate = () => {};
  let isStopped = false;
  let isOff = false;
  /** It has restarted, and has not registered since. */
  let isStarting = false;

  const ends = {
    send(datagram: Uint8Array): void {
      lastMovedMs = clock.monotonic();
      socket?.send(datagram);
    },
    deliver: (datagram: Uint8Array): void => node.receive(datagram),
  };
  const channel: Channel = settings.secure
    ? secureChannel({
        ...ends,
        identity: Buffer.from(nodeId),
        psk: psk ?? NOTHING,
        settings: settings.secure,
        clock,
        randomBytes: (length) => Uint8Array.from({ length }, () => Math.floor(random() * 256)),
        on: {
          handshake(outcome) {
            isStale = true; // it is another peer for the platform now
            on.handshake(outcome);
          },
        },
      })
    : plainChannel(ends);
  const node: CoapNode = createCoapNode({
    send: (datagram) => channel.send(datagram),
    clock,
    random,
    transmission: settings.transmission,
    answer,
    maxBodyBytes: settings.upgrade && MAX_PACKAGE_BYTES,
    on: {
      duplicate: () => on.duplicate(),
      // The platform does not know the observation that a NON belonged to: register anew (RFC 7641 §3.6).
      reset: () => {
        location = undefined;
      },
    },
  });

  const fetcher =
    settings.upgrade &&
    createPackageFetcher(settings.upgrade.servers, {
      ask: (message) =>
        inTurn(async () => ((await attach()) ? node.request(message) : { kind: "noAcknowledgement" as const })),
      identity: nodeId,
      psk,
      secure: settings.secure,
      transmission: settings.transmission,
      clock,
      random,
    });
  const upgrade =
    settings.upgrade &&
    fetcher &&
    createLwm2mUpgrade({
      settings: settings.upgrade,
      version: settings.upgrade.version,
      clock,
      send: (payload) => void inTurn(() => sendData(payload)),
      fetchPiece: fetcher.fetchPiece,
      restart: reboot,
      changed: (path) => void inTurn(() => notifyObservers(path)),
      on: settings.upgrade.on,
    });

  /** One thing after the other: a device has one exchange open at a time (NSTART). */
  function inTurn<T>(job: () => Promise<T>): Promise<T> {
    jobs++;
    const result = turn.then(job).finally(() => {
      jobs--;
    });
    turn = result.catch(() => {});
    return result;
  }

  async function wake(): Promise<void> {
    lastMovedMs = clock.monotonic();
    if (socket) return;
    const receive = (datagram: Uint8Array): void => {
      lastMovedMs = clock.monotonic();
      channel.receive(datagram);
    };
    // A port that somebody else has taken meanwhile: as if the network had given out another one.
    const opened = await network.open(local, receive).catch(() => network.open({ ...local, port: ANY_PORT }, receive));
    if (isStopped) return opened.close();
    if (local.port !== ANY_PORT && local.port !== opened.port) addressChanged();
    local = { ...local, port: opened.port };
    socket = opened;
    if (queueMode && !cancelSleep) watchSleep(awakeMs);
  }

  function watchSleep(ms: number): void {
    cancelSleep = clock.after(ms, () => {
      cancelSleep = undefined;
      if (!socket) return;
      const leftMs = lastMovedMs + awakeMs - clock.monotonic();
      if (leftMs > 0 || jobs > 0 || node.isBusy) return watchSleep(Math.max(leftMs, 1));
      sleep();
    });
  }

  function sleep(): void {
    socket?.close();
    socket = undefined;
    channel.rest();
    on.slept();
  }

  function addressChanged(): void {
    on.moved();
    if (channel.survivesMove) return;
    channel.renew();
    isStale = true;
  }

  /** Ready to report: awake, with a session, registered, and at an address that the platform knows. Never rejects. */
  async function attach(): Promise<boolean> {
    for (;;) {
      try {
        await wake();
      } catch (error) {
        return failed(error instanceof Error ? error.message : String(error));
      }
      if (isStopped) return false;
      if (!(await channel.ready())) return failed("no DTLS session");
      if (!location || (isStale && !style.canUpdate)) return register();
      if (!isStale) return true;
      await update(); // if that is in vain, there is no registration in the next round
    }
  }

  async function register(): Promise<boolean> {
    location = undefined;
    uplinkToken = undefined;
    observers.clear();
    const waiting = Promise.withResolvers<boolean>();
    observed = waiting;
    isStale = false;
    const query = style.registerQuery(nodeId, settings);
    const result = await node.request({
      code: CODES.post,
      options: [...pathOptions(style.registerPath), ...queryOptions(query), ...style.registerOptions],
      payload: upgrade && style.hasObjects ? UPGRADABLE_OBJECT_LINKS : style.links,
    });
    if (result.kind !== "response" || result.message.code !== style.registeredCode) {
      const reason =
        result.kind === "response" ? `code ${result.message.code >> 5}.${result.message.code & 31}` : result.kind;
      if (result.kind === "noAcknowledgement") channel.renew();
      return failed(reason);
    }
    const segments = result.message.options.filter(({ number }) => number === OPTIONS.locationPath.number);
    const cancel = clock.after(settings.observeWaitMs, () => waiting.resolve(false));
    const isObserved = await waiting.promise;
    cancel();
    if (!isObserved) return failed("not observed");
    if (!uplinkToken) return failed("unbound"); // by a second observation, before this answer came
    location = segments.map(({ value }) => Buffer.from(value).toString());
    planUpdate();
    on.registered();
    if (isStarting) {
      isStarting = false;
      upgrade?.started();
    }
    return true;
  }

  function failed(reason: string): false {
    observed = undefined;
    if (!isStopped) on.registrationFailed(reason);
    return false;
  }

  async function update(): Promise<void> {
    const path = pathOptions((location ?? []).join("/"));
    const result = await node.request({ code: CODES.post, options: path, payload: NOTHING });
    if (result.kind === "response" && result.message.code === CODES.changed) {
      isStale = false;
      planUpdate();
      on.updated();
      return;
    }
    location = undefined; // 4.04: register anew; silence: see whether that is heard
    if (result.kind !== "response") channel.renew();
  }

  function planUpdate(): void {
    cancelUpdate();
    if (!style.canUpdate || lifetimeSeconds === 0) return;
    cancelUpdate = clock.after(lifetimeSeconds * 900, () => {
      isStale = true;
      void inTurn(() => (isStopped ? Promise.resolve(false) : attach()));
    });
  }

  async function sendData(payload: Uint8Array): Promise<ReportOutcome> {
    if (isStopped) return "stopped";
    if (isOff || !(await attach()) || !uplinkToken) return isStopped ? "stopped" : "notRegistered";
    sequence = (sequence + 1) % OBSERVE_WRAP;
    const options = [option("observe", sequence), ...style.reportOptions];
    const outcome = await node.notify({ code: CODES.content, token: uplinkToken, options, payload }, confirmable);
    if (outcome === "acknowledged" || outcome === "sent") return "accepted";
    if (outcome === "cancelled") return isStopped ? "stopped" : "lost";
    if (outcome === "reset") location = undefined;
    else {
      channel.renew();
      isStale = true;
    }
    return "lost";
  }

  function answer(request: NodeRequest): NodeResponse | undefined {
    if (isOff) return undefined;
    const command = style.commandOf(request);
    if (command === "ignored") return undefined;
    if (command) {
      execute(request.payload);
      return { code: CODES.changed };
    }
    if (style.isUplink(request.path)) return answerUplink(request);
    objects ??= createDeviceObjects(
      { nodeId, lifetimeSeconds, binding: queueMode ? "UQ" : "U", logBytes: settings.logBytes, upgrade },
      {
        command: execute,
        execute: (path) => {
          if (renderPath(path) === "/3/0/4") reboot();
        },
        changed: (path) => void inTurn(() => notifyObservers(path)),
      },
    );
    const response = style.hasObjects ? objects.answer(request) : { code: CODES.notFound };
    return request.observe === undefined || !response ? response : observe(request, response);
  }

  /** The token of this observation marks all reports from now on. */
  function answerUplink(request: NodeRequest): NodeResponse {
    if (request.code !== CODES.get) return { code: CODES.methodNotAllowed };
    if (request.observe === undefined || request.observe === 1) {
      if (request.observe === 1) uplinkToken = undefined;
      return style.plainRead;
    }
    if (style.secondObserveUnbinds && uplinkToken && !observed) {
      uplinkToken = undefined;
      location = undefined;
      return style.observedResponse(0);
    }
    uplinkToken = request.token;
    observed?.resolve(true);
    observed = undefined;
    sequence = (sequence + 1) % OBSERVE_WRAP;
    return style.observedResponse(sequence);
  }

  /** Of any other resource. */
  function observe(request: NodeRequest, response: NodeResponse): NodeResponse {
    const path = `/${request.path.join("/")}`;
    observers.delete(path);
    if (request.observe !== 0 || response.code !== CODES.content) return response;
    observers.set(path, { token: request.token, sequence: 1 });
    return { ...response, options: [option("observe", 1), ...(response.options ?? [])] };
  }

  /** Of the resource, and of what it is a part of. */
  async function notifyObservers(path: LwM2mPath): Promise<void> {
    for (let depth = path.length; depth > 0; depth--) await notifyObserver(`/${path.slice(0, depth).join("/")}`);
  }

  async function notifyObserver(path: string): Promise<void> {
    const observer = observers.get(path);
    const response = observer && objects?.answer({ ...READ, path: path.slice(1).split("/") });
    if (!observer || response?.code !== CODES.content || isStopped) return;
    observer.sequence++;
    const options = [
      option("observe", observer.sequence),
      option("contentFormat", response.contentFormat ?? CONTENT_FORMATS.text),
    ];
    const message = { code: CODES.content, token: observer.token, options, payload: response.payload ?? NOTHING };
    if ((await node.notify(message, confirmable)) === "reset") observers.delete(path);
  }

  function execute(payload: Uint8Array): void {
    if (upgrade?.take(payload)) return;
    const bytes = payload.toHex();
    const times = (executions.get(bytes) ?? 0) + 1;
    executions.set(bytes, times);
    if (executions.size > MAX_EXECUTIONS_KEPT)
      for (const oldest of executions.keys()) {
        executions.delete(oldest);
        break;
      }
    on.command(payload, times);
    for (const rule of settings.answers) {
      const reply = rule(payload);
      if (!reply) continue;
      void inTurn(() => sendData(reply)).then((outcome) => on.answered(outcome === "accepted"));
      return;
    }
  }

  /** Everything in memory is gone, also what DTLS knew. The answer to the request still gets out. */
  function reboot(offMs = settings.rebootMs): void {
    if (isOff) return;
    clock.after(0, () => {
      if (isOff || isStopped) return;
      isOff = true;
      isStarting = true;
      upgrade?.stopped();
      observed?.resolve(false);
      node.forget();
      channel.forget();
      socket?.close();
      socket = undefined;
      location = undefined;
      uplinkToken = undefined;
      observers.clear();
      on.rebooted();
      clock.after(offMs, () => {
        isOff = false;
        void comeBack();
      });
    });
  }

  /** What was under way can go on only when it is registered: it does not wait for its next report. */
  async function comeBack(): Promise<void> {
    const isBack = await inTurn(() => (isStopped ? Promise.resolve(true) : attach()));
    if (!isBack && upgrade && !isStopped) clock.after(COME_BACK_MS, () => void comeBack());
  }

  return {
    nodeId,
    /** How often each command was executed, by its bytes in hex; the newest thousand. */
    executions: executions as ReadonlyMap<string, number>,
    get isAwake(): boolean {
      return socket !== undefined;
    },
    get isRegistered(): boolean {
      return location !== undefined;
    },
    get localPort(): number {
      return local.port;
    },
    /** Registers if that is to be done. Never rejects, if the network gives out sockets. */
    register: (): Promise<boolean> => inTurn(() => (isStopped ? Promise.resolve(false) : attach())),
    /** Wakes, registers, reports, whatever is needed. */
    report: (payload: Uint8Array): Promise<ReportOutcome> => inTurn(() => sendData(payload)),
    /** The network gives the device another port, as a NAT does. */
    move: (): Promise<void> =>
      inTurn(async () => {
        socket?.close();
        const wasAwake = socket !== undefined;
        socket = undefined;
        local = { ...local, port: ANY_PORT };
        if (isStopped) return;
        addressChanged();
        if (wasAwake) await wake().catch(() => {}); // the next report tries again, and tells
      }),
    /** De-registers where that can be done, and closes the session; `quietly` as if the battery had been taken out. */
    async stop(how: "politely" | "quietly" = "politely"): Promise<void> {
      if (how === "politely" && socket) {
        const path = pathOptions((location ?? []).join("/"));
        if (path.length > 0) await inTurn(() => node.request({ code: CODES.delete, options: path, payload: NOTHING }));
        channel.close();
      }
      isStopped = true;
      upgrade?.end();
      fetcher?.end();
      cancelSleep?.();
      cancelUpdate();
      observed?.resolve(false);
      node.abandon();
      channel.forget();
      socket?.close();
      socket = undefined;
      await turn;
    },
  };
}

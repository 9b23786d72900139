import { CODES, CONTENT_FORMATS } from "../wire/coap";
import {
  declaredType,
  decodeNode,
  encodeLinks,
  encodeNode,
  isAtOrBelow,
  type LwM2mNode,
  type LwM2mPath,
  type LwM2mSample,
  type LwM2mValue,
  nodeOf,
  parseSegments,
  renderPath,
} from "../wire/lwm2m";
import { MalformedError } from "../wire/malformed-error";
import type { NodeRequest, NodeResponse } from "./coap-node";
import { type Lwm2mUpgrade, UPGRADE_RESOURCES } from "./upgrade/lwm2m-upgrade";

export type ObjectSettings = {
  readonly nodeId: string;
  readonly lifetimeSeconds: number;
  readonly binding: string;
  /** Bytes of the log at /20/0/4014. */
  readonly logBytes: number;
  /** Undefined: the device has no object 5. */
  readonly upgrade?: Lwm2mUpgrade | undefined;
};

export type ObjectEvents = {
  /** Data for /19/1/0. */
  command(payload: Uint8Array): void;
  execute(path: LwM2mPath): void;
  /** A resource has another value now; whoever observes it is to be told. */
  changed(path: LwM2mPath): void;
};

const EXECUTABLE: readonly string[] = ["/3/0/4", "/3/0/12", "/20/0/4011", "/20/0/4012"];
const WRITABLE: readonly string[] = ["/1/0/1", "/3/0/13", "/3/0/14", "/3/0/15"];
const UPDATE = "/5/0/2";
const DOWNLINK: LwM2mPath = [19, 1, 0];
const TLV = CONTENT_FORMATS.lwm2mTlv;
/** What is answered with one of these numbers says it back; old ones mean the same as new ones. */
const READABLE: readonly number[] = [0, 42, 60, 110, 112, 1542, 1543, 11_542, 11_543];

export type DeviceObjects = ReturnType<typeof createDeviceObjects>;

/** The objects of a typical NB-IoT module, and what it answers to requests about them (OMA LwM2M TS 1.0.2 §5.4). */
export function createDeviceObjects(settings: ObjectSettings, on: ObjectEvents) {
  const { nodeId, lifetimeSeconds, binding, logBytes, upgrade } = settings;
  const values = new Map<string, LwM2mSample>();
  const set = (path: LwM2mPath, value: LwM2mValue) => values.set(renderPath(path), { path, value });
  const text = (path: LwM2mPath, value: string) => set(path, { type: "string", value });
  const whole = (path: LwM2mPath, value: number) => set(path, { type: "integer", value });
  whole([1, 0, 0], 1);
  whole([1, 0, 1], lifetimeSeconds);
  text([1, 0, 7], binding);
  text([3, 0, 0], "Islet");
  text([3, 0, 1], "Simulated NB-IoT module");
  text([3, 0, 2], nodeId);
  text([3, 0, 3], "1.0.0");
  whole([3, 0, 9], 95);
  whole([3, 0, 10], 64);
  whole([3, 0, 11, 0], 0);
  set([3, 0, 13], { type: "time", value: 1_767_225_600 });
  text([3, 0, 14], "+00:00");
  text([3, 0, 15], "UTC");
  text([3, 0, 16], binding);
  whole([4, 0, 0], 7); // NB-IoT
  whole([4, 0, 1, 0], 7);
  whole([4, 0, 2], -92);
  whole([4, 0, 3], 8);
  text([4, 0, 4, 0], "192.0.2.1");
  whole([4, 0, 8], 26_817);
  set([19, 0, 0], { type: "opaque", value: Uint8Array.of(0) });
  set([19, 1, 0], { type: "opaque", value: Uint8Array.of(0) });
  whole([20, 0, 4010], 1);
  whole([20, 0, 4013], 0);
  set([20, 0, 4014], { type: "opaque", value: logText(nodeId, logBytes) });
  whole([20, 0, 4015], 0);

  /** What changes without being written. */
  function refresh(): void {
    if (!upgrade) return;
    for (const name of values.keys())
      if (name.startsWith("/5/") || UPGRADE_RESOURCES.includes(name)) values.delete(name);
    for (const { path, value } of upgrade.samples()) set(path, value);
  }

  /** Requests to object 5 that are not reads; undefined: silence. */
  function answerUpgrade(it: Lwm2mUpgrade, path: LwM2mPath, request: NodeRequest): NodeResponse | undefined {
    const { contentFormat = CONTENT_FORMATS.text, payload } = request;
    if (request.code === CODES.put && payload.length === 0 && request.query.length > 0) return { code: CODES.changed };
    if (request.code !== CODES.put && request.code !== CODES.post) return { code: CODES.methodNotAllowed };
    const isExecute = request.code === CODES.post && renderPath(path) === UPDATE;
    const code = isExecute ? it.execute() : it.write(path, contentFormat, payload);
    return code === undefined ? undefined : { code };
  }

  const below = (path: LwM2mPath) => [...values.values()].filter((sample) => isAtOrBelow(sample.path, path));
  const isKnown = (path: LwM2mPath) =>
    below(path).length > 0 || EXECUTABLE.some((it) => it === renderPath(path) || it.startsWith(`${renderPath(path)}/`));

  function read(path: LwM2mPath, accept: number | undefined): NodeResponse {
    const samples = below(path);
    if (EXECUTABLE.includes(renderPath(path))) return { code: CODES.methodNotAllowed };
    if (samples.length === 0) return { code: CODES.notFound };
    const node = nodeOf(path, samples);
    const format = accept ?? usualFormat(node);
    if (!READABLE.includes(format)) return { code: CODES.notAcceptable };
    try {
      return { code: CODES.content, contentFormat: format, payload: encodeNode(format, path, node) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error; // one value cannot carry many
      return { code: CODES.notAcceptable };
    }
  }

  function discover(path: LwM2mPath): NodeResponse {
    const paths = new Set(below(path).map((sample) => renderPath(sample.path.slice(0, 3))));
    for (const executable of EXECUTABLE) if (executable.startsWith(`${renderPath(path)}/`)) paths.add(executable);
    const links = [renderPath(path), ...paths].map((target) => ({ target, attributes: new Map() }));
    return { code: CODES.content, contentFormat: CONTENT_FORMATS.linkFormat, payload: encodeLinks(links) };
  }

  function write(path: LwM2mPath, { contentFormat = CONTENT_FORMATS.text, payload }: NodeRequest): NodeResponse {
    const name = renderPath(path);
    if (isAtOrBelow(DOWNLINK, path)) {
      const data = contentFormat === CONTENT_FORMATS.opaque ? payload : downlinkOf(path, contentFormat, payload);
      if (!data) return { code: CODES.badRequest };
      on.command(data);
      return { code: CODES.changed };
    }
    if (!WRITABLE.includes(name)) return { code: CODES.methodNotAllowed };
    const node = decodeNode(contentFormat, path, payload, typeOf);
    if (!("value" in node)) return { code: CODES.badRequest };
    set(path, node.value);
    on.changed(path);
    return { code: CODES.changed };
  }

  function execute(path: LwM2mPath): NodeResponse {
    if (!EXECUTABLE.includes(renderPath(path))) return { code: CODES.methodNotAllowed };
    if (path[0] === 20) {
      whole([20, 0, 4013], path[2] === 4011 ? 1 : 0);
      on.changed([20, 0, 4013]);
    }
    on.execute(path);
    return { code: CODES.changed };
  }

  return {
    /** Everything but observing, which needs to know the observers. Undefined: silence. */
    answer(request: NodeRequest): NodeResponse | undefined {
      let path: LwM2mPath;
      try {
        path = parseSegments(request.path);
        if (upgrade?.isMute(path)) return undefined;
        if (upgrade && path[0] === 5 && request.code !== CODES.get) return answerUpgrade(upgrade, path, request);
        refresh();
        if (path.length === 0 || !isKnown(path)) return { code: CODES.notFound };
        if (request.code === CODES.get) {
          return request.accept === CONTENT_FORMATS.linkFormat ? discover(path) : read(path, request.accept);
        }
        if (request.code === CODES.put) {
          // Attributes of notifications come as queries and without a body (§5.4.4); they change nothing here.
          return request.payload.length === 0 && request.query.length > 0
            ? { code: CODES.changed }
            : write(path, request);
        }
        return request.code === CODES.post ? execute(path) : { code: CODES.methodNotAllowed };
      } catch (error) {
        if (!(error instanceof MalformedError)) throw error;
        return { code: CODES.badRequest };
      }
    },
  };
}

const linksTo = (...targets: string[]) =>
  encodeLinks([
    { target: "/", attributes: new Map([["rt", "oma.lwm2m"]]) },
    ...targets.map((target) => ({ target, attributes: new Map() })),
  ]);
/** What a registration says of the objects above; and of those of a device that can be upgraded. */
export const OBJECT_LINKS = linksTo("/1/0", "/3/0", "/4/0", "/19/0", "/19/1", "/20/0");
export const UPGRADABLE_OBJECT_LINKS = linksTo("/1/0", "/3/0", "/4/0", "/5/0", "/19/0", "/19/1", "/20/0");

const typeOf = (path: LwM2mPath) => declaredType(path);

/** A write to the instance or the resource, in whatever format: the one value of it. */
function downlinkOf(path: LwM2mPath, format: number, payload: Uint8Array): Uint8Array | undefined {
  const node = decodeNode(format, path, payload, () => "opaque");
  const resource = node.kind === "objectInstance" ? node.resources.find(({ id }) => id === 0) : node;
  const single = resource && "instances" in resource ? resource.instances[0] : resource;
  return single && "value" in single && single.value.type === "opaque" ? single.value.value : undefined;
}

const usualFormat = (node: LwM2mNode) => {
  if (!("value" in node)) return TLV;
  return node.value.type === "opaque" ? CONTENT_FORMATS.opaque : CONTENT_FORMATS.text;
};

function logText(nodeId: string, length: number): Uint8Array {
  let lines = "";
  for (let line = 1; lines.length < length; line++)
    lines += `${line} module ${nodeId}: attached, RSRP -92 dBm, SNR 12\n`;
  return Buffer.from(lines.slice(0, length));
}

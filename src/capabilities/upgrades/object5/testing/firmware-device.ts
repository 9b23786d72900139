import { type LwM2mNode, type LwM2mPath, type LwM2mValue, type ResourceNode, renderPath } from "../../../../wire/lwm2m";
import type { ResourceAnswer, ResourceRequest } from "../../../resources/resource-link";

const DONE: ResourceAnswer = { kind: "done" };
const refused = (code: string): ResourceAnswer => ({ kind: "refused", code, detail: undefined });

/** Object 5 of a device, as far as the platform sees it: a device that does what it should, until a test says otherwise. */
export function firmwareDevice() {
  const log: string[] = [];
  const observed = new Set<string>();
  const device = {
    version: "V1.0",
    state: 0,
    result: 0,
    uri: "",
    /** Values of 8 (several) and 9; undefined: it has no such resource. */
    protocols: undefined as number[] | undefined,
    delivery: undefined as number | undefined,
    /** What the LiteOS client has at 8. */
    singleEight: undefined as number | undefined,
    hasWhole: true,
    /** In place of the usual answer. */
    instead: undefined as ((request: ResourceRequest) => ResourceAnswer | undefined) | undefined,
    observed,
    /** All operations since the last call: `read /3/0/3`. */
    log: () => log.splice(0),
    answer,
  };

  function answer(request: ResourceRequest): ResourceAnswer {
    const path = renderPath(request.path);
    const value = request.op === "write" && "value" in request.node ? request.node.value.value : undefined;
    log.push(`${request.op} ${path}${value === undefined ? "" : ` ${JSON.stringify(value)}`}`);
    const other = device.instead?.(request);
    if (other) return other;
    switch (request.op) {
      case "read":
        return read(request.path);
      case "observe":
        observed.add(path);
        return read(request.path);
      case "cancelObserve":
        observed.delete(path);
        return DONE;
      case "write":
        return write(`${value}`);
      case "execute":
        if (device.state !== 2) return refused("4.05");
        device.state = 3;
        return DONE;
      default:
        return refused("4.05");
    }
  }

  function write(uri: string): ResourceAnswer {
    if (uri !== "" && device.state !== 0) return refused("4.05");
    device.uri = uri;
    device.state = 0;
    device.result = 0;
    return DONE;
  }

  function read(path: LwM2mPath): ResourceAnswer {
    const nodes: Record<string, LwM2mNode | undefined> = {
      "/3/0/3": one(3, { type: "string", value: device.version }),
      "/5/0": device.hasWhole ? { kind: "objectInstance", id: 0, resources: resources() } : undefined,
      "/5/0/1": one(1, { type: "string", value: device.uri }),
      "/5/0/3": number(3, device.state),
      "/5/0/5": number(5, device.result),
    };
    const node = nodes[renderPath(path)];
    return node ? { kind: "done", node } : refused("4.04");
  }

  function resources(): ResourceNode[] {
    const { uri, state, result, protocols, delivery, singleEight } = device;
    return [
      one(1, { type: "string", value: uri }),
      number(3, state),
      number(5, result),
      ...(protocols ? [several(8, protocols)] : singleEight === undefined ? [] : [number(8, singleEight)]),
      ...(delivery === undefined ? [] : [number(9, delivery)]),
    ];
  }
  return device;
}
export type FirmwareDevice = ReturnType<typeof firmwareDevice>;

export const one = (id: number, value: LwM2mValue): ResourceNode => ({ kind: "resource", id, value });
export const number = (id: number, value: number): ResourceNode => one(id, { type: "integer", value });
const several = (id: number, values: readonly number[]): ResourceNode => ({
  kind: "multipleResource",
  id,
  instances: values.map((value, at) => ({ kind: "resourceInstance", id: at, value: { type: "integer", value } })),
});

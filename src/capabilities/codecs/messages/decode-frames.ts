import type { DataType, Product } from "../../products/product";
import type { ServiceReport } from "../../telemetry/report";
import type { Decoded } from "../codec";
import { parameterOf, propertyOf } from "./check-links";
import { defaultValue } from "./check-messages";
import { INTEGERS } from "./field-types";
import { type Frame, offsetOf, positionOf } from "./frame";
import { compileReader, type ReadField, type ReadState } from "./read-field";

type Data = Record<string, unknown>;
/** What becomes of a value: into the data of a service, into the body of an answer, mid, errcode, or nothing. */
type Use = "data" | "body" | "mid" | "errcode" | "none";
type Step = {
  readonly read: ReadField;
  readonly use: Use;
  /** Index of the service in the report. */
  readonly service: number;
  /** Name of the property or parameter. */
  readonly name: string;
};
export type UpFrame = { readonly frame: Frame; readonly steps: readonly Step[]; readonly services: readonly string[] };

/** A field as the try-out shows it. `value` is left out for the field that failed. */
export type FieldTrace = { readonly field: string; readonly offset: number; readonly bytes: string; value?: unknown };

/** Reads messages of the direction up. The frames have passed `checkMessages`. */
export function frameDecoder(frames: readonly Frame[], product: Product) {
  const compiled = frames.map((frame) => compileFrame(frame, product));
  const first = compiled[0];
  const address = first && addressOf(first.frame);
  const byId = new Map<number, UpFrame>();
  for (const up of compiled) {
    const field = up.frame.fields[positionOf(up.frame, "messageId")];
    const id = field && defaultValue(field);
    if (id !== undefined) byId.set(id, up);
  }
  const state: ReadState = { value: undefined, lengths: [], reason: "value_invalid", detail: "" };
  const failed = (where: string): Decoded => ({
    kind: "failed",
    reason: state.reason,
    detail: where === "" ? state.detail : `${where}: ${state.detail}`,
  });

  /** The message that these bytes are; undefined with reason and detail in the state. */
  function choose(payload: Uint8Array): UpFrame | undefined {
    if (!address) {
      if (!first) refuse("message_unknown", "the codec has no message that a device sends");
      return first;
    }
    if (address.read(payload, address.offset, state) < 0) {
      state.detail = `messageId: ${state.detail}`;
      return undefined;
    }
    const value = state.value as number;
    const id = value < 0 ? value + address.span : value;
    const chosen = byId.get(id);
    if (!chosen) refuse("message_unknown", `no message has the messageId 0x${id.toString(16)}`);
    return chosen;
  }

  function refuse(reason: ReadState["reason"], detail: string): void {
    state.reason = reason;
    state.detail = detail;
  }

  function decode(payload: Uint8Array): Decoded {
    const up = choose(payload);
    return up ? read(up, payload) : failed("");
  }

  function read({ frame, steps, services }: UpFrame, payload: Uint8Array, trace?: FieldTrace[]): Decoded {
    const datas: Data[] = [];
    for (let index = 0; index < services.length; index++) datas.push({});
    let body: Data | undefined;
    let mid = 0;
    let errcode = 0;
    let at = 0;
    for (let index = 0; index < steps.length; index++) {
      const { read: readField, use, service, name } = steps[index] as Step;
      const next = readField(payload, at, state);
      if (trace) note(trace, frame, index, payload, at, next);
      if (next < 0) return failed(`${frame.name}.${frame.fields[index]?.name}`);
      at = next;
      switch (use) {
        case "data":
          (datas[service] as Data)[name] = state.value;
          break;
        case "body":
          body ??= {};
          body[name] = state.value;
          break;
        case "mid":
          mid = state.value as number;
          break;
        case "errcode":
          errcode = state.value as number;
          break;
        case "none":
          break;
        default:
          use satisfies never;
      }
    }
    if (at < payload.length) {
      refuse("bytes_left_over", `${payload.length - at} bytes are left over at ${at}`);
      return failed(frame.name);
    }
    if (frame.kind === "commandResponse") {
      if (mid > 0) return { kind: "answer", mid, errcode, body, hasMore: false };
      refuse("value_invalid", "mid is 0");
      return failed(frame.name);
    }
    const reports: ServiceReport[] = [];
    for (let index = 0; index < services.length; index++)
      reports.push({ serviceId: services[index] as string, data: datas[index] as Data, eventTimeMs: undefined });
    return { kind: "reports", reports, hasMore: false };
  }

  function note(trace: FieldTrace[], frame: Frame, index: number, payload: Uint8Array, at: number, next: number): void {
    const bytes = hexOf(payload.subarray(at, next < 0 ? payload.length : next));
    const entry = { field: frame.fields[index]?.name ?? "", offset: at, bytes };
    trace.push(next < 0 ? entry : { ...entry, value: state.value });
  }

  return {
    decode,
    /** The same, told field by field. */
    trace(payload: Uint8Array): { message: string | undefined; fields: FieldTrace[]; result: Decoded } {
      const up = choose(payload);
      if (!up) return { message: undefined, fields: [], result: failed("") };
      const fields: FieldTrace[] = [];
      const result = read(up, payload, fields);
      return { message: up.frame.name, fields, result };
    },
    /** The report that these bytes are, if they are one. */
    reportOf(payload: Uint8Array): Frame | undefined {
      const frame = choose(payload)?.frame;
      return frame?.kind === "report" ? frame : undefined;
    },
  };
}

export const hexOf = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex").toUpperCase();

function addressOf(frame: Frame) {
  const position = positionOf(frame, "messageId");
  const field = frame.fields[position];
  if (!field) return undefined;
  return {
    offset: offsetOf(frame, position) ?? 0,
    read: compileReader(field, undefined, undefined, undefined),
    span: 256 ** (INTEGERS[field.dataType]?.bytes ?? 1),
  };
}

function compileFrame(frame: Frame, product: Product): UpFrame {
  const { fields } = frame;
  const services: string[] = [];
  const steps = fields.map((field, index): Step => {
    const lengthFrom = fields.findIndex(({ name }) => name === field.lengthField);
    const isLength = fields.some(({ lengthField }) => lengthField === field.name);
    const { link, mark } = field;
    let use: Use = mark === "mid" || mark === "errcode" ? mark : "none";
    let target: DataType | undefined;
    let name = "";
    let service = 0;
    if (link && "property" in link) {
      use = "data";
      name = link.property;
      target = propertyOf(product, link.serviceId, name)?.dataType;
      service = services.indexOf(link.serviceId);
      if (service < 0) service = services.push(link.serviceId) - 1;
    } else if (link) {
      use = "body";
      name = link.parameter;
      target = parameterOf(product, frame, name)?.dataType;
    }
    const read = compileReader(field, target, isLength ? index : undefined, lengthFrom < 0 ? undefined : lengthFrom);
    return { read, use, service, name };
  });
  return { frame, steps, services };
}

import type { CommandDelivery, DataReport, FieldDefinition, Mark, MessageDefinition } from "./definition";
import { fixedLength } from "./field-types";

/** One list of fields on the wire: a report, a delivery, or the response that a delivery defines. */
export type Frame = {
  /** For people: `set_alarm`, `response of set_alarm`. */
  readonly name: string;
  /** Where it stands in the JSON: `messages[3].response`. */
  readonly path: string;
  readonly fields: readonly FieldDefinition[];
} & (
  | { readonly kind: "report"; readonly message: DataReport }
  | { readonly kind: "delivery" | "commandResponse"; readonly message: CommandDelivery }
);

export type CommandFrame = Extract<Frame, { kind: "delivery" | "commandResponse" }>;

export function framesOf(messages: readonly MessageDefinition[]): Frame[] {
  return messages.flatMap((message, index): Frame[] => {
    const { name, fields } = message;
    const path = `messages[${index}]`;
    if (message.type === "dataReport") return [{ kind: "report", name, path, fields, message }];
    const delivery: Frame = { kind: "delivery", name, path, fields, message };
    if (!message.response) return [delivery];
    const response = { name: `response of ${name}`, path: `${path}.response`, fields: message.response.fields };
    return [delivery, { kind: "commandResponse", ...response, message }];
  });
}

export const isUp = ({ kind }: Frame) => kind !== "delivery";

export const positionOf = ({ fields }: Frame, mark: Mark): number => fields.findIndex((field) => field.mark === mark);

/** Undefined behind a field of variable length. */
export function offsetOf({ fields }: Frame, position: number): number | undefined {
  let offset = 0;
  for (const field of fields.slice(0, position)) {
    const length = fixedLength(field);
    if (length === undefined) return undefined;
    offset += length;
  }
  return offset;
}

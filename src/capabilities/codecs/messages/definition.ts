import { z } from "zod";

/** How a codec of messages is written down as JSON; README.md has the worked example. Words and rules: codec.md 3. */

export const FIELD_TYPES = [
  "int8u",
  "int16u",
  "int24u",
  "int32u",
  "int8s",
  "int16s",
  "int32s",
  "string",
  "varstring",
  "array",
  "variant",
] as const;
export type FieldType = (typeof FIELD_TYPES)[number];

export const MARKS = ["messageId", "mid", "errcode"] as const;
export type Mark = (typeof MARKS)[number];

const Name = z.string().min(1).max(128);
/** Of a data report. */
const PropertyLink = z.strictObject({ serviceId: Name, property: Name });
/** Of a command delivery: one of the command's parameters. Of its response: one of the response's. */
const ParameterLink = z.strictObject({ parameter: Name });

const Field = z.strictObject({
  name: Name,
  dataType: z.enum(FIELD_TYPES),
  /** Bytes; for `string` and `array`. Integers have theirs by their type. */
  length: z.int().optional(),
  /** For `varstring` and `variant`: the name of an earlier field that holds their length. */
  lengthField: Name.optional(),
  /** Hexadecimal, with or without `0x`. */
  default: z.string().min(1).max(16_384).optional(),
  mark: z.enum(MARKS).optional(),
  link: z.union([PropertyLink, ParameterLink]).optional(),
});
const fields = z.array(Field);

const DataReport = z.strictObject({
  type: z.literal("dataReport"),
  name: Name,
  fields,
  /** "Add response field": the fixed bytes that answer each such report; `{}` gives AAAA0000. */
  response: z.strictObject({ default: z.string().min(1).max(16_384).default("AAAA0000") }).optional(),
});
const CommandDelivery = z.strictObject({
  type: z.literal("commandDelivery"),
  name: Name,
  serviceId: Name,
  command: Name,
  fields,
  /** "Add response field": what the device says about the execution. */
  response: z.strictObject({ fields }).optional(),
});

export const MessageDefinition = z.discriminatedUnion("type", [DataReport, CommandDelivery]);
export type MessageDefinition = z.infer<typeof MessageDefinition>;
export type FieldDefinition = z.infer<typeof Field>;
export type DataReport = z.infer<typeof DataReport>;
export type CommandDelivery = z.infer<typeof CommandDelivery>;

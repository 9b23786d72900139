import type { CodecSettings } from "../codec-settings";
import type { FieldDefinition } from "./definition";
import { fixedLength, hexBytes, hexDigits, hexValue, INTEGERS, isText, isVariable } from "./field-types";
import type { Frame } from "./frame";
import { JAVA_KEYWORDS } from "./java-keywords";

/** What keeps a codec from being deployed, with message and field by name and by place in the JSON. */
export type Issue = {
  readonly path: string;
  readonly message: string | undefined;
  readonly field: string | undefined;
  readonly reason: string;
};
export type Complain = (reason: string, fieldIndex?: number, member?: string) => void;
export const NAME_RULE = /^[A-Za-z_$][A-Za-z0-9_$]*$/;

/** Rules of one list of fields that need neither the product model nor the other messages. */
export function checkFields(frame: Frame, limits: CodecSettings, complain: Complain): void {
  const { fields } = frame;
  if (fields.length === 0) complain("has no field");
  if (fields.length > limits.maxFields) complain(`has more than ${limits.maxFields} fields`);
  const names = new Set<string>();
  const lengthsUsed = new Set<number>();
  for (const [index, field] of fields.entries()) {
    if (!NAME_RULE.test(field.name))
      complain("is not a name: letters, digits, _ and $, no digit in front", index, "name");
    else if (JAVA_KEYWORDS.has(field.name)) complain("is a Java keyword", index, "name");
    if (names.has(field.name)) complain("is the name of two fields", index, "name");
    names.add(field.name);
    checkLength(field, index, limits, complain);
    checkLengthField(frame, index, lengthsUsed, complain);
    checkDefault(field, index, complain);
    checkMark(frame, index, complain);
  }
}

function checkLength(field: FieldDefinition, index: number, limits: CodecSettings, complain: Complain): void {
  const { dataType, length } = field;
  const integer = INTEGERS[dataType];
  if (integer) {
    if (length !== undefined && length !== integer.bytes)
      complain(`is fixed: ${dataType} has ${integer.bytes} bytes`, index, "length");
  } else if (isVariable(dataType)) {
    if (length !== undefined) complain(`${dataType} has no length of its own`, index, "length");
  } else if (length === undefined) complain(`${dataType} needs a length`, index, "length");
  else if (length < 1 || length > limits.maxFieldBytes)
    complain(`is not 1 to ${limits.maxFieldBytes}`, index, "length");
}

function checkLengthField(frame: Frame, index: number, used: Set<number>, complain: Complain): void {
  const { fields } = frame;
  const { dataType, lengthField } = fields[index] as FieldDefinition;
  if (!isVariable(dataType)) {
    if (lengthField !== undefined) complain(`${dataType} has a length of its own`, index, "lengthField");
    return;
  }
  if (lengthField === undefined) {
    complain(`${dataType} needs a length field before it`, index, "lengthField");
    return;
  }
  const at = fields.findIndex(({ name }) => name === lengthField);
  const holder = fields[at];
  if (!holder || at >= index) complain(`${lengthField} is no field before it`, index, "lengthField");
  else if (INTEGERS[holder.dataType]?.signed !== false)
    complain(`${lengthField} is not of an unsigned integer type`, index, "lengthField");
  else if (used.has(at)) complain(`${lengthField} is the length of another field already`, index, "lengthField");
  else if (holder.mark) complain(`${lengthField} is marked as ${holder.mark}`, index, "lengthField");
  else if (holder.link && frame.kind === "delivery")
    complain(`${lengthField} is computed and cannot be linked to a parameter`, index, "lengthField");
  if (at >= 0) used.add(at);
}

function checkDefault(field: FieldDefinition, index: number, complain: Complain): void {
  if (field.default === undefined) return;
  const digits = hexDigits(field.default);
  if (digits === undefined) {
    complain("is not hexadecimal", index, "default");
    return;
  }
  const integer = INTEGERS[field.dataType];
  if (integer) {
    if (hexValue(digits, integer.bytes) === undefined)
      complain(`does not fit into ${integer.bytes} bytes`, index, "default");
    return;
  }
  const bytes = hexBytes(digits);
  const length = fixedLength(field);
  if (!bytes) complain("has half a byte", index, "default");
  else if (isText(field.dataType)) {
    if (length !== undefined && bytes.length > length) complain(`is longer than ${length} bytes`, index, "default");
    if (bytes.some((byte) => byte >= 0x80)) complain("is not ASCII", index, "default");
  } else if (length !== undefined && bytes.length !== length) complain(`is not ${length} bytes`, index, "default");
}

function checkMark(frame: Frame, index: number, complain: Complain): void {
  const { fields, kind } = frame;
  const field = fields[index] as FieldDefinition;
  const { mark } = field;
  if (mark === undefined) return;
  if (field.link) complain(`is marked as ${mark} and cannot be linked`, index, "link");
  if (fields.findIndex((other) => other.mark === mark) < index) complain(`${mark} is marked twice`, index, "mark");
  switch (mark) {
    case "messageId":
      if (!INTEGERS[field.dataType]) complain("messageId is not of an integer type", index, "dataType");
      if (field.default === undefined) complain("messageId needs its value as default", index, "default");
      return;
    case "mid":
      if (field.dataType !== "int16u") complain("mid is not 2 bytes (int16u)", index, "dataType");
      if (kind === "report") complain("mid belongs to commands and their responses", index, "mark");
      return;
    case "errcode":
      if (!INTEGERS[field.dataType]) complain("errcode is not of an integer type", index, "dataType");
      if (kind !== "commandResponse") complain("errcode belongs to command responses", index, "mark");
      return;
    default:
      mark satisfies never;
  }
}

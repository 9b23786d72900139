import type { Product } from "../../products/product";
import type { CodecSettings } from "../codec-settings";
import { checkFields, type Issue, NAME_RULE } from "./check-fields";
import { checkLinks } from "./check-links";
import type { FieldDefinition, Mark, MessageDefinition } from "./definition";
import { hexBytes, hexDigits, hexValue, INTEGERS } from "./field-types";
import { type Frame, framesOf, isUp, offsetOf, positionOf } from "./frame";

/** Everything that keeps these messages from being deployed for this product (codec.md 3.1-3.6); empty: nothing does. */
export function checkMessages(
  messages: readonly MessageDefinition[],
  product: Product,
  limits: CodecSettings,
): readonly Issue[] {
  const issues: Issue[] = [];
  const tell = (path: string, reason: string, message?: string, field?: string) =>
    void issues.push({ path, message, field, reason });
  const complainOf = (frame: Frame) => (reason: string, index?: number, member?: string) => {
    const field = index === undefined ? undefined : frame.fields[index]?.name;
    const path = [frame.path, index === undefined ? "" : `.fields[${index}]`, member ? `.${member}` : ""].join("");
    tell(path, `${field === undefined ? frame.name : `${frame.name}, ${field}`}: ${reason}`, frame.name, field);
  };

  if (messages.length === 0) tell("messages", "there is no message");
  if (messages.length > limits.maxMessages) {
    tell("messages", `there are more than ${limits.maxMessages} messages`);
    return issues;
  }
  const frames = framesOf(messages);
  for (const frame of frames) {
    checkFields(frame, limits, complainOf(frame));
    checkLinks(product, frame, complainOf(frame));
  }
  checkNames();
  checkResponses();
  checkAddress(frames.filter(isUp), frames.filter(isUp).length >= 2);
  const deliveries = frames.filter((frame) => !isUp(frame));
  const isAnswered = messages.some((message) => message.type === "dataReport" && message.response);
  checkAddress(deliveries, deliveries.length + (isAnswered ? 1 : 0) >= 2);
  for (const frame of frames) if (frame.kind === "commandResponse") checkMid(frame);
  checkMandatory();
  return issues;

  function checkNames(): void {
    const names = new Set<string>();
    const commands = new Set<string>();
    for (const [index, message] of messages.entries()) {
      const { name } = message;
      const path = `messages[${index}]`;
      if (!NAME_RULE.test(name))
        tell(`${path}.name`, `${name}: is not a name: letters, digits, _ and $, no digit in front`, name);
      if (names.has(name)) tell(`${path}.name`, `${name}: is the name of two messages`, name);
      names.add(name);
      if (message.type !== "commandDelivery") continue;
      const command = JSON.stringify([message.serviceId, message.command]);
      if (commands.has(command))
        tell(`${path}.command`, `${name}: ${message.serviceId}.${message.command} has a message already`, name);
      commands.add(command);
    }
  }

  /** The fixed answers to reports must be told apart from every delivery (codec.md 3.4 item 3). */
  function checkResponses(): void {
    for (const [index, message] of messages.entries()) {
      if (message.type !== "dataReport" || !message.response) continue;
      const { name } = message;
      const path = `messages[${index}].response.default`;
      const digits = hexDigits(message.response.default);
      const bytes = digits === undefined ? undefined : hexBytes(digits);
      if (digits === undefined) tell(path, `${name}: the response is not hexadecimal`, name);
      else if (!bytes) tell(path, `${name}: the response has half a byte`, name);
      else if (bytes.length > limits.maxFieldBytes)
        tell(path, `${name}: the response is longer than ${limits.maxFieldBytes} bytes`, name);
      else for (const delivery of frames) if (delivery.kind === "delivery") compareIds(delivery, bytes, name, path);
    }
  }

  function compareIds(delivery: Frame, response: Uint8Array, name: string, path: string): void {
    const position = positionOf(delivery, "messageId");
    const field = delivery.fields[position];
    const offset = field && offsetOf(delivery, position);
    const integer = field && INTEGERS[field.dataType];
    if (!field || !integer || offset === undefined) return;
    const there = Buffer.from(response.subarray(offset, offset + integer.bytes)).toString("hex");
    if (there.length === integer.bytes * 2 && defaultValue(field) === Number.parseInt(there, 16))
      tell(path, `${name}: the response looks like ${delivery.name}, whose messageId is 0x${there}`, name);
  }

  /** codec.md 3.4: in every message of the direction, an integer, at the same position, with a value of its own. */
  function checkAddress(direction: readonly Frame[], isNeeded: boolean): void {
    const first = direction.find((frame) => positionOf(frame, "messageId") >= 0);
    const byValue = new Map<number, Frame>();
    for (const frame of direction) {
      const complain = complainOf(frame);
      const position = positionOf(frame, "messageId");
      const field = frame.fields[position];
      if (!field || !first) {
        if (isNeeded || first) complain("needs a messageId: other messages go the same way");
        continue;
      }
      checkSamePlace(first, frame, "messageId");
      const expected = first.fields[positionOf(first, "messageId")];
      if (field.dataType !== expected?.dataType)
        complain(`messageId is ${field.dataType}, in ${first.name} it is ${expected?.dataType}`, position, "dataType");
      if (offsetOf(frame, position) === undefined) complain("messageId stands behind a variable field", position);
      else if (offsetOf(frame, position) !== offsetOf(first, positionOf(first, "messageId")))
        complain(`messageId has another offset than in ${first.name}`, position);
      const value = defaultValue(field);
      if (value === undefined) continue;
      const other = byValue.get(value);
      if (other) complain(`messageId has the value of ${other.name}`, position, "default");
      byValue.set(value, other ?? frame);
    }
  }

  function checkMid(response: Frame): void {
    const delivery = frames.find((frame) => frame.kind === "delivery" && frame.message === response.message) as Frame;
    let isComplete = true;
    for (const frame of [delivery, response])
      if (positionOf(frame, "mid") < 0) {
        complainOf(frame)("needs a mid: the result could not be matched to its command");
        isComplete = false;
      }
    if (isComplete) checkSamePlace(delivery, response, "mid");
  }

  function checkSamePlace(first: Frame, frame: Frame, mark: Mark): void {
    const expected = positionOf(first, mark);
    const position = positionOf(frame, mark);
    if (position !== expected)
      complainOf(frame)(`${mark} is field ${position + 1}, in ${first.name} it is field ${expected + 1}`, position);
  }

  function checkMandatory(): void {
    const linked = new Set<string>();
    for (const frame of frames)
      for (const { link } of frame.kind === "report" ? frame.fields : [])
        if (link && "property" in link) linked.add(JSON.stringify([link.serviceId, link.property]));
    for (const { serviceId, properties } of product.services)
      for (const { name, required } of properties)
        if (required && !linked.has(JSON.stringify([serviceId, name])))
          tell("messages", `the mandatory property ${serviceId}.${name} has no field`);
  }
}

/** The value of a field's default; undefined when it has none that makes sense. */
export function defaultValue(field: FieldDefinition): number | undefined {
  const integer = INTEGERS[field.dataType];
  const digits = field.default === undefined ? undefined : hexDigits(field.default);
  return integer && digits !== undefined ? hexValue(digits, integer.bytes) : undefined;
}

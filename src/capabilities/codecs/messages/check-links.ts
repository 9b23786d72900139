import type { Command, Parameter, Product, Property } from "../../products/product";
import type { Complain } from "./check-fields";
import type { FieldDefinition } from "./definition";
import { fits } from "./field-types";
import type { CommandFrame, Frame } from "./frame";

export const propertyOf = (product: Product, serviceId: string, name: string): Property | undefined =>
  product.services
    .find((service) => service.serviceId === serviceId)
    ?.properties.find((property) => property.name === name);

export const commandOf = (product: Product, serviceId: string, name: string): Command | undefined =>
  product.services.find((service) => service.serviceId === serviceId)?.commands.find((it) => it.name === name);

/** What a field of this message may be linked with: parameters of the command, or of its responses. */
export function parameterOf(product: Product, frame: Frame, name: string): Parameter | undefined {
  if (frame.kind === "report") return undefined;
  const command = commandOf(product, frame.message.serviceId, frame.message.command);
  const paras = frame.kind === "delivery" ? command?.paras : command?.responses.flatMap((response) => response.paras);
  return paras?.find((para) => para.name === name);
}

/** Does everything that a message names exist in the model, and can its fields carry it? */
export function checkLinks(product: Product, frame: Frame, complain: Complain): void {
  const seen = new Set<string>();
  for (const [index, field] of frame.fields.entries()) {
    if (!field.link) continue;
    const target = findTarget(product, frame, field.link, (reason) => complain(reason, index, "link"));
    if (!target) continue;
    const key = JSON.stringify(field.link);
    if (seen.has(key)) complain("is linked with what another field is linked with", index, "link");
    seen.add(key);
    if (target.name === "__proto__") complain("__proto__ cannot be a name in a message", index, "link");
    else if (!fits(field.dataType, target.dataType))
      complain(`${field.dataType} does not fit ${target.name}, which is of type ${target.dataType}`, index, "link");
  }
  if (frame.kind === "delivery") checkCommand(product, frame, complain);
}

type Link = NonNullable<FieldDefinition["link"]>;

function findTarget(
  product: Product,
  frame: Frame,
  link: Link,
  complain: (reason: string) => void,
): Parameter | undefined {
  if (frame.kind === "report") {
    if ("parameter" in link) {
      complain("a report is linked with a service and a property");
      return undefined;
    }
    const { serviceId, property } = link;
    const found = propertyOf(product, serviceId, property);
    if (!found) complain(`${serviceId}.${property} is not in the product model`);
    return found;
  }
  if (!("parameter" in link)) {
    complain("a command and its response are linked with a parameter");
    return undefined;
  }
  const { serviceId, command } = frame.message;
  if (!commandOf(product, serviceId, command)) return undefined; // told once, for the message
  const found = parameterOf(product, frame, link.parameter);
  if (!found)
    complain(
      `${link.parameter} is no ${frame.kind === "delivery" ? "parameter" : "response parameter"} of ${serviceId}.${command}`,
    );
  return found;
}

function checkCommand(product: Product, frame: CommandFrame, complain: Complain): void {
  const { serviceId, command: name } = frame.message;
  const command = commandOf(product, serviceId, name);
  if (!command) {
    complain(`${serviceId}.${name} is not a command of the product model`);
    return;
  }
  const linked = new Set(frame.fields.map(({ link }) => (link && "parameter" in link ? link.parameter : undefined)));
  for (const para of command.paras)
    if (para.required && !linked.has(para.name)) complain(`the mandatory parameter ${para.name} has no field`);
}

import { type LwM2mNode, type LwM2mPath, type LwM2mValue, type ResourceNode, samplesOf } from "../../../wire/lwm2m";
import type { ResourceAnswer, ResourceLink } from "../../resources/resource-link";

/** What reading came to. `failed`: the device answered, but has no such value; `why` is for people. */
export type Reading<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "failed"; readonly why: string }
  | { readonly kind: "unreachable" | "noAnswer" };

export async function readNode(link: ResourceLink, deviceNo: number, path: LwM2mPath): Promise<Reading<LwM2mNode>> {
  const answer = await link.request(deviceNo, { op: "read", path });
  if (answer.kind === "done")
    return answer.node ? { kind: "value", value: answer.node } : { kind: "failed", why: "an answer without a value" };
  return failureOf(answer);
}

/** What an answer other than `done` says, in words. */
export function failureOf(
  answer: Exclude<ResourceAnswer, { kind: "done" }>,
): Exclude<Reading<never>, { kind: "value" }> {
  switch (answer.kind) {
    case "refused":
      return { kind: "failed", why: answer.code };
    case "unreadable":
      return { kind: "failed", why: answer.detail };
    case "unreachable":
    case "noAnswer":
      return { kind: answer.kind };
    default:
      return answer satisfies never;
  }
}

export async function readNumber(link: ResourceLink, deviceNo: number, path: LwM2mPath): Promise<Reading<number>> {
  return mapped(await readNode(link, deviceNo, path), (node) => numberIn(path, node), "no number");
}

export async function readText(link: ResourceLink, deviceNo: number, path: LwM2mPath): Promise<Reading<string>> {
  return mapped(await readNode(link, deviceNo, path), (node) => textIn(path, node), "no text");
}

function mapped<T>(from: Reading<LwM2mNode>, to: (node: LwM2mNode) => T | undefined, why: string): Reading<T> {
  if (from.kind !== "value") return from;
  const value = to(from.value);
  return value === undefined ? { kind: "failed", why } : { kind: "value", value };
}

/** The one value of a resource; devices are not always right about its type. */
export function numberIn(path: LwM2mPath, node: LwM2mNode): number | undefined {
  const value = samplesOf(path, node)[0]?.value;
  return value && numberOf(value);
}

export function numberOf({ type, value }: LwM2mValue): number | undefined {
  if (typeof value === "number" || typeof value === "bigint") return finite(Number(value));
  if (type === "string" && /^-?\d+(\.\d+)?$/.test(value.trim())) return finite(Number(value));
  return undefined;
}
const finite = (value: number) => (Number.isFinite(value) ? value : undefined);

export function textIn(path: LwM2mPath, node: LwM2mNode): string | undefined {
  const value = samplesOf(path, node)[0]?.value;
  return value?.type === "string" ? value.value : undefined;
}

/** The resources of an instance that was read whole. */
export const resourcesOf = (node: LwM2mNode): readonly ResourceNode[] =>
  node.kind === "objectInstance" ? node.resources : [];

/** All values of one resource of it, in the order of their instances. */
export function valuesOf(resources: readonly ResourceNode[], id: number): readonly LwM2mValue[] {
  const found = resources.find((it) => it.id === id);
  return found ? samplesOf([id], found).map(({ value }) => value) : [];
}

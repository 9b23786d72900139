import { DomainError } from "../../platform/domain-error";
import type { CustomTopic } from "./product";
import { isObject } from "./read-json";

export type TopicLimits = { readonly maxTopics: number; readonly maxNameLength: number };
export const TOPIC_LIMITS: TopicLimits = { maxTopics: 10, maxNameLength: 64 };

const PERMISSIONS = ["publish", "subscribe", "both"] as const;
const MAX_DESCRIPTION = 256;

/** The whole list of a product (platform.md 3). Throws TOPIC_INVALID {path, reason}. */
export function parseTopics(input: unknown, limits: TopicLimits = TOPIC_LIMITS): CustomTopic[] {
  if (!Array.isArray(input)) return refuse("$", "is not a list");
  if (input.length > limits.maxTopics) return refuse("$", `holds more than ${limits.maxTopics} topics`);
  const topics = input.map((entry, index) => parseTopic(entry, `$[${index}]`, limits));
  for (const [index, { name }] of topics.entries()) {
    if (topics.findIndex((other) => other.name === name) < index) refuse(`$[${index}].name`, "is there twice");
  }
  return topics;
}

function parseTopic(entry: unknown, path: string, limits: TopicLimits): CustomTopic {
  if (!isObject(entry)) return refuse(path, "is not an object");
  const { name, description } = entry;
  const permission = PERMISSIONS.find((it) => it === entry.permission);
  if (!permission) return refuse(`${path}.permission`, `is none of ${PERMISSIONS.join(", ")}`);
  if (typeof name !== "string" || name === "") return refuse(`${path}.name`, "is missing");
  if (name.length > limits.maxNameLength)
    return refuse(`${path}.name`, `is longer than ${limits.maxNameLength} characters`);
  const wrong = wrongName(name, permission === "subscribe");
  if (wrong) return refuse(`${path}.name`, wrong);
  if (description !== undefined && description !== null && typeof description !== "string")
    return refuse(`${path}.description`, "is not a string");
  if (typeof description === "string" && description.length > MAX_DESCRIPTION)
    return refuse(`${path}.description`, `is longer than ${MAX_DESCRIPTION} characters`);
  return { name, permission, description: description || undefined };
}

/** Wildcards only where nothing is published, and only as whole levels, `#` last [MQTT-4.7.1-2], [MQTT-4.7.1-3]. */
function wrongName(name: string, wildcards: boolean): string | undefined {
  if (!/^[A-Za-z0-9_/+#]+$/.test(name)) return "may hold letters, digits, _ and / only";
  const levels = name.split("/");
  if (levels.includes("")) return "has an empty level";
  if (!/[+#]/.test(name)) return undefined;
  if (!wildcards) return "may hold + and # only where the permission is subscribe";
  const whole = levels.every((level) => level === "+" || level === "#" || !/[+#]/.test(level));
  const hashLast = !levels.slice(0, -1).includes("#");
  return whole && hashLast ? undefined : "has a wildcard that is not a whole level, or # before the end";
}

function refuse(path: string, reason: string): never {
  throw new DomainError("TOPIC_INVALID", { path, reason });
}

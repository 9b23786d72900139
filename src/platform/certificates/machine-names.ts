import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";

const LOCAL = ["localhost", "127.0.0.1", "::1"];
const DNS_NAME = /^(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?$/;

/** Under which names and addresses this machine may be reached, the most telling first. */
export function machineNames(): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [hostname(), ...LOCAL, ...addresses.map(({ address }) => address)];
}

/** Lower case, each once, without what cannot stand in a certificate. */
export function toSubjectNames(names: readonly string[]): string[] {
  const usable = names.map((name) => name.trim().toLowerCase().replace(/%.*$/, "")).filter(isSubjectName);
  return [...new Set([...usable, ...LOCAL])];
}

const isSubjectName = (name: string) => isIP(name) !== 0 || DNS_NAME.test(name);

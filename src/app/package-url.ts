import { downloadPath, type UpgradePackage } from "../capabilities/packages/package";
import { type ListenAddress, parseListenAddress } from "../platform/listen-address";
import type { Config } from "./config";

type Keys = "http.listen" | "https.listen" | "http.public_host" | "https.public_host";

/**
 * Where a device downloads a package by HTTP: over TLS when that is on. `localAddress` is how it reached the platform;
 * `opened`: the real addresses of the listeners.
 */
export function packageUrl(
  config: Pick<Config, Keys>,
  opened: Readonly<Record<string, string>>,
  { fileId }: Pick<UpgradePackage, "fileId">,
  localAddress: string,
): string | undefined {
  const scheme = config["https.listen"] !== "off" ? "https" : "http";
  const listener = opened[scheme];
  if (listener === undefined) return undefined;
  const host = withPort(config[`${scheme}.public_host`] || localAddress, parseListenAddress(listener));
  return `${scheme}://${host}${downloadPath(fileId)}`;
}

/** A host may bring its own port. IPv4 addresses of an IPv6 socket are shown as such. */
export function withPort(hostOrMore: string, { port }: Pick<ListenAddress, "port">): string {
  const host = hostOrMore.replace(/^::ffff:/, "");
  if (/^\[.*\]:\d+$|^[^:]+:\d+$/.test(host)) return host;
  return `${host.includes(":") && !host.startsWith("[") ? `[${host}]` : host}:${port}`;
}

import { BlockList, isIP } from "node:net";
import { type NetworkInterfaceInfo, networkInterfaces } from "node:os";

type Own = Pick<NetworkInterfaceInfo, "address" | "cidr" | "family" | "internal">;

/**
 * The address of this machine that a device at `peer` has most likely reached, as sockets for all addresses do not tell:
 * the one in the same network; else the first that is not for this machine alone, as devices behind a router come to it.
 * A device that is sent to another address than the one it knows opens a second DTLS session, and loses its first.
 */
export function ownAddress(
  peer: string,
  own: readonly Own[] = Object.values(networkInterfaces()).flatMap((it) => it ?? []),
): string {
  const bare = peer.replace(/^\[|\]$/g, "").replace(/^::ffff:/i, "");
  const near = own.find((it) => isIn(bare, it));
  const outer = own.find(({ family, internal }) => family === "IPv4" && !internal);
  return (near ?? outer)?.address ?? "127.0.0.1";
}

function isIn(peer: string, { address, cidr, family }: Own): boolean {
  const bits = Number(cidr?.split("/")[1] ?? Number.NaN);
  const isSameFamily = isIP(peer) === (family === "IPv4" ? 4 : 6);
  if (!isSameFamily || !Number.isInteger(bits)) return false;
  const network = new BlockList();
  network.addSubnet(address, bits, family === "IPv4" ? "ipv4" : "ipv6");
  return network.check(peer, family === "IPv4" ? "ipv4" : "ipv6");
}

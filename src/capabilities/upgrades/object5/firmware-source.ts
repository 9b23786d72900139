import type { BlockBody } from "../../../wire/coap";
import type { PackageContents, UpgradePackage } from "../../packages/package";

/** A package as a body whose parts are read when they are sent; nothing of it is held. Reading throws PACKAGE_NOT_FOUND. */
export function firmwareSource(
  contents: PackageContents,
  { no, size }: Pick<UpgradePackage, "no" | "size">,
): BlockBody {
  return { length: size, subarray: (start, end) => contents.read(no, start, Math.min(end, size) - start) };
}

/** Of the content, for CoAP: eight bytes of its hash tell one package from any other. */
export const etagOfPackage = ({ sha256 }: Pick<UpgradePackage, "sha256">): Uint8Array =>
  Uint8Array.fromHex(sha256.slice(0, 16));

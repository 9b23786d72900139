import type { BlockBody } from "../../../wire/coap";
import type { PackageContents } from "../../packages/package";
import type { UpgradeDesk } from "../upgrade-link";
import { etagOfPackage, firmwareSource } from "./firmware-source";

/** First segment of the path; the token is the second, and says all, as some clients send nothing but a path. */
export const PACKAGE_PATH = "ota";
export const packageUri = (scheme: string, host: string, token: string): string =>
  `${scheme}://${host}/${PACKAGE_PATH}/${token}`;

export type ServedPackage = { readonly body: BlockBody; readonly etag: Uint8Array };

/** Port: packages that devices fetch by CoAP. `access/lwm2m` serves them. */
export interface PackageResource {
  /**
   * What a token opens; undefined when it opens nothing (any more). `deviceNo`: who asks, where that is proved; then it
   * has to be the device that the token was made for.
   */
  find(token: string, deviceNo: number | undefined): ServedPackage | undefined;
}

export function packageResource(
  desk: Pick<UpgradeDesk, "orderOf" | "authorizeDownload">,
  contents: PackageContents,
): PackageResource {
  return {
    find(token, deviceNo) {
      if (token === "") return undefined;
      const order = deviceNo === undefined ? undefined : desk.orderOf(deviceNo);
      if (deviceNo !== undefined && order?.token !== token) return undefined;
      const found = desk.authorizeDownload(token);
      return found && { body: firmwareSource(contents, found), etag: etagOfPackage(found) };
    },
  };
}

import { type FirmwareObject, PROTOCOL } from "./firmware-object";

export type Scheme = "coap" | "coaps" | "http" | "https";
export type Delivery =
  | { readonly kind: "pull"; readonly uri: string }
  | { readonly kind: "push" }
  /** Result 9 of /5/0/5 in the device's place. */
  | { readonly kind: "unsupported" };

/** Longest that object 5 takes, in bytes; what we write is ASCII. */
export const MAX_URI = 255;

/**
 * Pull, unless the device only takes a push. By CoAP as the device is connected; by HTTP where that is all that it knows
 * (nb-iot.md 7.3). `uriOf`: undefined where the platform does not offer the scheme.
 */
export function chooseDelivery(
  { protocols, delivery }: Pick<FirmwareObject, "protocols" | "delivery">,
  isSecure: boolean,
  uriOf: (scheme: Scheme) => string | undefined,
): Delivery {
  if (delivery === "push") return { kind: "push" };
  for (const scheme of isSecure ? SECURE_ORDER : PLAIN_ORDER) {
    const isSpoken = protocols ? protocols.includes(PROTOCOL[scheme]) : scheme === (isSecure ? "coaps" : "coap");
    const uri = isSpoken ? uriOf(scheme) : undefined;
    if (uri !== undefined && uri.length <= MAX_URI) return { kind: "pull", uri };
  }
  return delivery === "both" ? { kind: "push" } : { kind: "unsupported" };
}
/** A device that has a session is not sent around it while there is any other way. */
const SECURE_ORDER = ["coaps", "https", "coap", "http"] as const;
const PLAIN_ORDER = ["coap", "http", "https", "coaps"] as const;

import type { AppId } from "./application";

/** How pushes over HTTPS to one address of an application are checked (platform.md 1, "CA certificate for HTTPS push"). */
export type PushTrust = {
  /** PEM, one or more CA certificates. */
  readonly ca: string;
  /** On: the receiver's certificate must carry `commonName` (or the host of the address, when that is undefined). */
  readonly checkCommonName: boolean;
  readonly commonName: string | undefined;
  /** On: the TLS handshake names `commonName` (or the host), for receivers that share one address. */
  readonly sni: boolean;
};

/** One application has at most one per address. */
export type PushCertificate = PushTrust & {
  readonly appNo: number;
  /** Host or IP and port of the callback URL, in lower case: `api.example.com:9001`, `[::1]:8443`. */
  readonly hostPort: string;
  readonly createdAt: number; // ms
};

export type NewPushCertificate = {
  readonly hostPort: string;
  readonly ca: string;
  readonly checkCommonName?: boolean; // default true
  readonly commonName?: string | undefined;
  readonly sni?: boolean; // default false
};

export interface PushCertificates {
  /**
   * Stores or replaces the certificate of an address. Throws APP_NOT_FOUND, and INPUT_INVALID with a reason when the
   * address or the PEM cannot be used (not parseable, expired, neither of a CA nor signed by itself).
   */
  add(appId: AppId, input: NewPushCertificate): Promise<PushCertificate>;
  /** Throws APP_NOT_FOUND. */
  list(appId: AppId): PushCertificate[];
  /** False when there was none. Throws APP_NOT_FOUND. */
  delete(appId: AppId, hostPort: string): Promise<boolean>;
  /** Inside the transaction that deletes the last subscription at this address: it is trusted no longer (platform.md 1). */
  unbind(appNo: number, hostPort: string): void;
  /** In memory, for the push worker: what it must trust when it pushes to `hostPort` for this application. */
  find(appNo: number, hostPort: string): PushTrust | undefined;
}

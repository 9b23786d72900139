import type { AppId } from "../applications/application";
import type { SignatureAlgorithm } from "./signature";

/** What the packages of a manufacturer are checked with: one per manufacturer and application (ota.md 3.3). */
export type ManufacturerKey = {
  readonly appNo: number;
  /** As in the product model. */
  readonly manufacturerName: string;
  readonly pem: string;
  readonly algorithm: SignatureAlgorithm;
  /** SHA-256 of the key, hex. */
  readonly fingerprint: string;
  readonly createdAt: number;
};

export interface PublicKeyService {
  /** Replaces the one that the manufacturer had; packages that are there stay. Throws APP_NOT_FOUND, PUBLIC_KEY_INVALID. */
  put(appId: AppId, manufacturerName: string, pem: string): Promise<ManufacturerKey>;
  /** By manufacturer. Throws APP_NOT_FOUND. */
  list(appId: AppId): ManufacturerKey[];
  /** Throws APP_NOT_FOUND, PUBLIC_KEY_NOT_FOUND. */
  remove(appId: AppId, manufacturerName: string): Promise<void>;
}

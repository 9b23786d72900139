import type { AppId } from "../applications/application";

/** `fileId` in the vendor's API. */
export type PackageId = string & { readonly brand: "PackageId" };
/** What every fileId looks like, known or not. */
export const PACKAGE_ID_FORM = /^[0-9a-f]{32}$/;

export const PACKAGE_KINDS = ["firmware", "software"] as const;
export type PackageKind = (typeof PACKAGE_KINDS)[number];
/** As product models and UpgradeDesc.json spell them; firmware knows only the last two. */
export const PACKAGE_PROTOCOLS = ["CoAP", "LWM2M", "MQTT"] as const;
export type PackageProtocol = (typeof PACKAGE_PROTOCOLS)[number];

/**
 * One version for one (manufacturer, device type, model, protocol) of an application (ota.md 1, 3). What devices download
 * is the content: the `.bin` of a firmware package, the vendor's file of a software package; not the signed archive.
 */
export type UpgradePackage = {
  readonly no: number; // internal key, never used again
  readonly fileId: PackageId;
  readonly appNo: number;
  readonly appId: AppId;
  readonly kind: PackageKind;
  readonly name: string;
  /** Printable ASCII; of software at most 16 characters (PCP carries 16 bytes). */
  readonly version: string;
  readonly deviceType: string;
  readonly manufacturerName: string;
  readonly model: string;
  readonly protocolType: PackageProtocol;
  /** Patterns with `*` (any characters) and `?` (exactly one); empty: every version. */
  readonly sourceVersions: readonly string[];
  /** Bytes of a PCP shard, 32 to 500. */
  readonly shardSize: number;
  /** 16 bits, of versionCheckCode; for PCP. */
  readonly checkCode: number;
  /** Of the content. */
  readonly fileName: string;
  readonly size: number; // bytes of the content
  readonly sha256: string; // hex, of the content
  readonly description: string | undefined;
  /** `yyyy-MM-dd` */
  readonly date: string | undefined;
  readonly uploadedAt: number; // ms
};

/** Every given field must be equal. */
export type PackageFilter = {
  readonly appNo?: number | undefined;
  readonly kind?: PackageKind | undefined;
  readonly name?: string | undefined;
  readonly deviceType?: string | undefined;
  readonly manufacturerName?: string | undefined;
  readonly model?: string | undefined;
  readonly version?: string | undefined;
  readonly protocolType?: string | undefined;
};

/** What is typed at the upload of firmware; software says it itself, in UpgradeDesc.json (ota.md 3.1). */
export type FirmwareFields = {
  readonly version: string;
  readonly deviceType: string;
  readonly manufacturerName: string;
  readonly model: string;
  readonly protocolType: string;
  readonly sourceVersions?: readonly string[] | undefined;
  readonly description?: string | undefined;
};
export type NewPackage = { readonly fileName: string; readonly name?: string | undefined } & (
  | { readonly kind: "software" }
  | { readonly kind: "firmware"; readonly fields: FirmwareFields }
);

/** The upgrade packages of all applications: a caller that acts for one compares `appNo`. Lists are newest first. */
export interface PackageService {
  find(fileId: string): UpgradePackage | undefined;
  /** Also inside a transaction, where it sees what that has done. */
  findByNo(no: number): UpgradePackage | undefined;
  /** Throws PACKAGE_NOT_FOUND. */
  get(fileId: string): UpgradePackage;
  /** `page` counts from 0. */
  list(filter: PackageFilter, page: number, pageSize: number): { items: UpgradePackage[]; total: number };
  /** On disk when it resolves. Throws PACKAGE_NOT_FOUND, PACKAGE_IN_USE. */
  remove(fileId: string): Promise<void>;
  /**
   * A further reason why a package cannot be removed; asked inside the transaction that removes it. Whoever starts to
   * use a package looks for it with `findByNo` inside his own transaction.
   */
  refuseRemovalWhile(isInUse: (packageNo: number) => boolean): void;
}

/** For the ways of download. Memory is bounded however many packages and devices there are. */
export interface PackageContents {
  /**
   * Bytes of the content from `offset`; fewer at its end, none behind it. Synchronous: mostly a copy out of a cache of
   * large pieces. The bytes belong to the caller. Throws PACKAGE_NOT_FOUND when there is no such package (any more).
   */
  read(packageNo: number, offset: number, length: number): Uint8Array;
}

/** Says which package a token of an upgrade opens, and only as long as it does (ota.md 8.3: 24 h, or until the result). */
export interface DownloadTokens {
  authorize(token: string): number | undefined;
}

/** Where devices fetch a package by HTTP, below the address of the platform. */
export const downloadPath = (fileId: PackageId) => `/ota/v1/packages/${fileId}`;

export type PackageId = string & { readonly brand: "PackageId" };
export const PACKAGE_KINDS = ["firmware", "software"] as const;
export type PackageKind = (typeof PACKAGE_KINDS)[number];

/** One version for one product (manufacturer, device type, model); ota.md 3.4. Times in ms. */
export type UpgradePackage = {
  readonly no: number;
  readonly fileId: PackageId;
  readonly appNo: number;
  readonly kind: PackageKind;
  readonly name: string;
  readonly version: string;
  readonly deviceType: string;
  readonly manufacturerName: string;
  readonly model: string;
  readonly protocolType: string; // CoAP, LWM2M, MQTT
  /** Patterns with `*` (any number of characters) and `?` (one); empty: every version. */
  readonly sourceVersions: readonly string[];
  readonly shardSize: number; // bytes; PCP
  readonly checkCode: number; // 16 bit, of versionCheckCode; PCP
  /** Of the content: the `.bin` of a firmware package, the vendor's file of a software package. */
  readonly fileName: string;
  readonly size: number; // bytes
  readonly sha256: string; // hex
  readonly description: string | undefined;
  readonly date: string | undefined;
  readonly uploadedAt: number;
};

/** Port: the bytes that devices download. */
export interface PackageContents {
  /** From `offset`; fewer than `length` bytes at the end, none beyond it. Rejects when the file cannot be read. */
  read(packageNo: number, offset: number, length: number): Promise<Uint8Array>;
}

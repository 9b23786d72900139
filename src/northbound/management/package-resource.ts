import { z } from "@hono/zod-openapi";
import { PACKAGE_PROTOCOLS, type UpgradePackage } from "../../capabilities/packages/package";
import type { ManufacturerKey } from "../../capabilities/packages/public-key";
import { SIGNATURE_ALGORITHMS } from "../../capabilities/packages/signature";
import { Timestamp, toTimestamp } from "./routes";

export const FILE_TYPES = ["firmwarePackage", "softwarePackage"] as const;
export const KIND_OF = { firmwarePackage: "firmware", softwarePackage: "software" } as const;
const FILE_TYPE_OF = { firmware: "firmwarePackage", software: "softwarePackage" } as const;

export const PackageResource = z
  .object({
    fileId: z.string(),
    appId: z.string(),
    fileType: z.enum(FILE_TYPES),
    name: z.string(),
    version: z.string(),
    deviceType: z.string(),
    manufacturerName: z.string(),
    model: z.string(),
    protocolType: z.enum(PACKAGE_PROTOCOLS),
    sourceVersions: z.array(z.string()).openapi({ description: "patterns with * and ?; empty: every version" }),
    shardSize: z.int().openapi({ description: "bytes of a PCP shard" }),
    versionCheckCode: z.string().openapi({ description: "four hex digits, for PCP" }),
    fileName: z.string().openapi({ description: "of the content, which is what devices download" }),
    size: z.int().openapi({ description: "bytes of the content" }),
    sha256: z.string().openapi({ description: "of the content, hex" }),
    description: z.string().optional(),
    date: z.string().optional(),
    uploadedAt: Timestamp,
  })
  .openapi("UpgradePackage");

export const toPackageResource = (it: UpgradePackage) => ({
  fileId: it.fileId as string,
  appId: it.appId as string,
  fileType: FILE_TYPE_OF[it.kind],
  name: it.name,
  version: it.version,
  deviceType: it.deviceType,
  manufacturerName: it.manufacturerName,
  model: it.model,
  protocolType: it.protocolType,
  sourceVersions: [...it.sourceVersions],
  shardSize: it.shardSize,
  versionCheckCode: it.checkCode.toString(16).toUpperCase().padStart(4, "0"),
  fileName: it.fileName,
  size: it.size,
  sha256: it.sha256,
  description: it.description,
  date: it.date,
  uploadedAt: toTimestamp(it.uploadedAt),
});

export const PublicKeyResource = z
  .object({
    manufacturerName: z.string(),
    algorithm: z.enum(SIGNATURE_ALGORITHMS),
    fingerprint: z.string().openapi({ description: "SHA-256 of the key, hex" }),
    pem: z.string(),
    createdAt: Timestamp,
  })
  .openapi("PublicKey");

export const toPublicKeyResource = (it: ManufacturerKey) => ({
  manufacturerName: it.manufacturerName,
  algorithm: it.algorithm,
  fingerprint: it.fingerprint,
  pem: it.pem,
  createdAt: toTimestamp(it.createdAt),
});

import { z } from "@hono/zod-openapi";
import type { AppId } from "../../capabilities/applications/application";
import type { NewPackage, PackageUploads, ReceivedArchive, UpgradePackage } from "../../capabilities/packages/package";
import type { ProductId, ProductService } from "../../capabilities/products/product";
import { DomainError } from "../../platform/domain-error";
import { readMultipart } from "../http/multipart";
import { FILE_TYPES } from "./package-resource";

const text = z.string().min(1).max(4_096);
const shared = { name: z.string().trim().min(1).max(256).optional() };
/** Whom the package is for, as its product model says it. */
const names = {
  deviceType: text,
  manufacturerName: text,
  model: text,
  protocolType: text.openapi({ description: "LWM2M or MQTT" }),
};
const NAMES = Object.keys(names) as (keyof typeof names)[];
const firmware = {
  version: text.openapi({ description: "of the firmware" }),
  ...names,
  sourceVersions: z
    .array(z.string())
    .default([])
    .openapi({ description: "patterns with * and ?; may come several times; none: every version" }),
  description: z.string().optional(),
};
const PRODUCT_ID = "productId";
// What the fields may hold is checked, with better words, by the upload.
const Form = z.discriminatedUnion("fileType", [
  z.strictObject({ fileType: z.literal("firmwarePackage"), ...shared, ...firmware }),
  z.strictObject({ fileType: z.literal("softwarePackage"), ...shared }),
]);
/** For the document: bodies of this size are not read by a validator. */
export const PackageForm = z.object({
  fileType: z.enum(FILE_TYPES),
  [PRODUCT_ID]: z.string().optional().openapi({
    description: "firmware only: the product, in place of its deviceType, manufacturerName, model and protocolType",
  }),
  file: z.string().openapi({ format: "binary", description: "the signed ZIP; after the fields or before them" }),
  ...shared,
  ...Object.fromEntries(Object.entries(firmware).map(([name, schema]) => [name, withNote(schema as z.ZodType)])),
});

function withNote(schema: z.ZodType): z.ZodType {
  const { description } = schema.meta() ?? {};
  return schema.optional().openapi({ description: `firmware only${description ? `: ${description}` : ""}` });
}

type Products = Pick<ProductService, "get">;

/**
 * Streams the file to disk, then makes it a package. Throws what the two steps throw, INPUT_INVALID, and PRODUCT_NOT_FOUND
 * for a productId that is none of the application.
 */
export async function uploadPackage(
  request: Request,
  appId: AppId,
  uploads: PackageUploads,
  products: Products,
): Promise<UpgradePackage> {
  let archive: { received: ReceivedArchive; fileName: string } | undefined;
  try {
    const fields = await readMultipart(request, async (field, fileName, chunks) => {
      if (field !== "file") throw misfit(field, "is not known");
      if (archive) throw misfit("file", "is given twice");
      archive = { received: await uploads.receive(chunks), fileName: baseName(fileName) };
    });
    const input = parseFields(namedByProduct(fields, appId, products));
    if (!archive) throw misfit("file", "is required");
    return await archive.received.store(appId, { fileName: archive.fileName, ...input } as NewPackage);
  } finally {
    await archive?.received.discard();
  }
}

/** A productId becomes the names of its product. */
function namedByProduct(fields: readonly [string, string][], appId: AppId, products: Products): [string, string][] {
  const given = fields.filter(([name]) => name === PRODUCT_ID);
  const rest = fields.filter(([name]) => name !== PRODUCT_ID);
  const [[, productId] = ["", ""]] = given;
  if (given.length === 0) return rest;
  if (given.length > 1) throw misfit(PRODUCT_ID, "is given twice");
  const twice = rest.find(([name]) => NAMES.some((it) => it === name));
  if (twice) throw misfit(twice[0], "is in the product model");
  // Software says in its description for whom it is.
  if (rest.some(([name, value]) => name === "fileType" && value === FILE_TYPE_OF_SOFTWARE))
    throw misfit(PRODUCT_ID, "is in UpgradeDesc.json");
  const product = products.get(productId as ProductId);
  if (product.appId !== appId) throw new DomainError("PRODUCT_NOT_FOUND", { productId });
  return [...rest, ...NAMES.map((name): [string, string] => [name, product[name]])];
}
const FILE_TYPE_OF_SOFTWARE = "softwarePackage" satisfies (typeof FILE_TYPES)[number];

function parseFields(fields: readonly [string, string][]): Omit<NewPackage, "fileName"> {
  const form: Record<string, string | string[]> = {};
  for (const [name, value] of fields) {
    if (name === "sourceVersions") form[name] = [...((form[name] as string[] | undefined) ?? []), value];
    else if (Object.hasOwn(form, name)) throw misfit(name, "is given twice");
    else form[name] = value;
  }
  const parsed = Form.safeParse(form);
  if (!parsed.success) {
    const issues = parsed.error.issues.slice(0, 20).flatMap((issue) =>
      issue.code === "unrecognized_keys"
        ? issue.keys.map((key) => ({
            path: key,
            reason: key in firmware ? "is in UpgradeDesc.json" : "is not known",
          }))
        : [
            {
              path: issue.path.join("."),
              reason: issue.message.endsWith("undefined") ? "is required" : issue.message,
            },
          ],
    );
    throw new DomainError("INPUT_INVALID", { issues });
  }
  if (parsed.data.fileType === "softwarePackage") return { kind: "software", name: parsed.data.name };
  const { fileType: _, name, ...typed } = parsed.data;
  return { kind: "firmware", name, fields: typed } as Omit<NewPackage, "fileName">;
}

/** Some browsers send a path. */
const baseName = (path: string) =>
  path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1).slice(-256) || "file";

const misfit = (path: string, reason: string) => new DomainError("INPUT_INVALID", { issues: [{ path, reason }] });

import type { AppId } from "../applications/application";

export type ProductId = string & { readonly brand: "ProductId" };
export const PROTOCOL_TYPES = ["CoAP", "LWM2M", "MQTT", "LoRaWAN"] as const;
export type ProtocolType = (typeof PROTOCOL_TYPES)[number];
export const DATA_TYPES = [
  "int",
  "long",
  "decimal",
  "float",
  "double",
  "string",
  "DateTime",
  "jsonObject",
  "boolean",
  "string list",
  "enum",
] as const;
export type DataType = (typeof DATA_TYPES)[number];

/** A value as the model describes it (product-model.md). Bounds are undefined where the model sets none. */
export type Parameter = {
  readonly name: string;
  readonly dataType: DataType;
  readonly required: boolean;
  readonly min: number | undefined;
  readonly max: number | undefined;
  readonly step: number | undefined;
  readonly maxLength: number | undefined;
  readonly unit: string | undefined;
  readonly enumList: readonly string[] | undefined;
  /** How the model spells the bounds (`"0"`, `"-40.0"`), for showing it; undefined where it has null or nothing. */
  readonly minText?: string | undefined;
  readonly maxText?: string | undefined;
};
export type Property = Parameter & { readonly method: string }; // letters of R, W, E
export type Command = {
  readonly name: string;
  readonly paras: readonly Parameter[];
  readonly responses: readonly { readonly name: string; readonly paras: readonly Parameter[] }[];
};
export type Service = {
  readonly serviceId: string;
  readonly serviceType: string;
  readonly option: "Master" | "Mandatory" | "Optional";
  readonly description: string | undefined;
  readonly properties: readonly Property[];
  readonly commands: readonly Command[];
};
export type CustomTopic = {
  readonly name: string; // after `$oc/devices/{device_id}/user/`
  readonly permission: "publish" | "subscribe" | "both";
  readonly description: string | undefined;
};
export type OmCapability = Readonly<Record<string, unknown>>;

export type Product = {
  readonly no: number;
  readonly id: ProductId; // has no `_` in it
  readonly appNo: number;
  readonly appId: AppId;
  readonly name: string;
  readonly manufacturerId: string;
  readonly manufacturerName: string;
  readonly model: string;
  readonly deviceType: string;
  readonly protocolType: ProtocolType;
  readonly omCapability: OmCapability | undefined;
  readonly services: readonly Service[]; // empty: a pass-through product
  readonly topics: readonly CustomTopic[];
  readonly createdAt: number;
};

/** Why a value does not fit, where: `temperature: 900 is over the maximum 125`. Undefined: it fits. */
export type Misfit = string | undefined;

/** The model turned into closures once, for the ingest path and for commands. */
export type CompiledService = {
  readonly serviceId: string;
  readonly serviceType: string;
  /** Checks one report of this service: unknown properties, types, ranges, lengths, enums. Required is not checked: reports are partial. */
  checkReport(data: Readonly<Record<string, unknown>>): Misfit;
  readonly commands: ReadonlyMap<string, { check(paras: Readonly<Record<string, unknown>>): Misfit }>;
};
export type CompiledProduct = {
  readonly product: Product;
  readonly passThrough: boolean;
  readonly services: ReadonlyMap<string, CompiledService>;
};

export type ProductSelector =
  | { readonly productId: string }
  /** The two are unique within an application; what else is given must fit. */
  | (Readonly<Record<"manufacturerId" | "model", string>> & {
      readonly [K in "manufacturerName" | "deviceType" | "protocolType"]?: string | undefined;
    });

export interface ProductService {
  /** `fileName` as uploaded. Throws PRODUCT_INVALID {file, path, reason}, PRODUCT_EXISTS. A refusal leaves nothing behind. */
  importZip(appId: AppId, fileName: string, bytes: Uint8Array): Promise<Product>;
  /** `devicetype`: content of devicetype-capability.json; `servicetypes`: contents of the servicetype-capability.json files. */
  importJson(appId: AppId, input: { devicetype: unknown; servicetypes: unknown; name?: string }): Promise<Product>;
  list(appId: AppId, page: number, pageSize: number): { items: Product[]; total: number };
  /** Throws PRODUCT_NOT_FOUND. */
  get(id: ProductId): Product;
  /** Within the application; undefined when nothing matches every given field. */
  resolve(appId: AppId, selector: ProductSelector): Product | undefined;
  setOmCapability(id: ProductId, omCapability: unknown): Promise<Product>;
  setTopics(id: ProductId, topics: unknown): Promise<Product>;
  /** Throws PRODUCT_IN_USE while devices are registered with it. */
  delete(id: ProductId): Promise<void>;
  /** Cached; recompiled after a change. Undefined for an unknown number. */
  compiled(no: number): CompiledProduct | undefined;
}

/** Emitted inside the transaction. */
export type ProductEvents = {
  productAdded: { product: Product };
  productChanged: { product: Product };
  productDeleted: { product: Product };
};

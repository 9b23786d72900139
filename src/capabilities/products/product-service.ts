import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Emitter } from "../../platform/events";
import type { Ids } from "../../platform/ids";
import type { Transactor } from "../../platform/storage/group-commit";
import type { AppId, ApplicationService } from "../applications/application";
import { compileProduct } from "./compile";
import { parseTopics, TOPIC_LIMITS, type TopicLimits } from "./custom-topics";
import { parseOmCapability } from "./om-capability";
import { findProtocolType, type ProductModel, parseModel } from "./parse-model";
import type { CompiledProduct, Product, ProductEvents, ProductId, ProductSelector, ProductService } from "./product";
import { productRepository } from "./product-repository";
import { items, text } from "./read-json";
import { readPackage } from "./read-package";
import { ZIP_LIMITS, type ZipLimits } from "./read-zip";

export type ProductSettings = { readonly zip: ZipLimits; readonly topics: TopicLimits };
export const PRODUCT_DEFAULTS: ProductSettings = { zip: ZIP_LIMITS, topics: TOPIC_LIMITS };

type Parts = {
  /** `registry.db`. */
  db: Database;
  transactor: Transactor;
  applications: Pick<ApplicationService, "get" | "find">;
  events: Emitter<ProductEvents>;
  ids: Ids;
  clock: Clock;
  settings?: Partial<ProductSettings>;
};

export function productService({ db, transactor, applications, events, ids, clock, settings }: Parts): ProductService {
  const limits = { ...PRODUCT_DEFAULTS, ...settings };
  const repository = productRepository(db);
  const cache = new Map<number, CompiledProduct>();

  function compiled(no: number): CompiledProduct | undefined {
    const known = cache.get(no);
    if (known) return known;
    const product = repository.findByNo(no);
    if (!product) return undefined;
    const made = compileProduct(product);
    // What an open transaction shows may never come to be.
    if (!db.inTransaction) cache.set(no, made);
    return made;
  }

  function get(id: ProductId): Product {
    const no = repository.numberOfId(id);
    const product = no === undefined ? undefined : compiled(no)?.product;
    if (!product) throw new DomainError("PRODUCT_NOT_FOUND", { productId: id });
    return product;
  }

  /** Inside a transaction: from the database, because an earlier change may wait for the same commit. */
  function stored(id: ProductId): Product {
    const no = repository.numberOfId(id);
    const product = no === undefined ? undefined : repository.findByNo(no);
    if (!product) throw new DomainError("PRODUCT_NOT_FOUND", { productId: id });
    return product;
  }

  const add = (appId: AppId, name: string, model: ProductModel): Promise<Product> =>
    transactor.write(() => {
      const { no: appNo } = applications.get(appId);
      const id = ids.next() as ProductId;
      const product = repository.add({ id, appNo, appId, name, ...model, topics: [], createdAt: clock.now() });
      transactor.afterCommit(() => cache.set(product.no, compileProduct(product)));
      events.emit("productAdded", { product });
      return product;
    });

  const change = (id: ProductId, apply: (product: Product) => Product): Promise<Product> =>
    transactor.write(() => {
      const product = apply(stored(id));
      // Before the event: listeners' own hooks then find the new model here.
      transactor.afterCommit(() => cache.set(product.no, compileProduct(product)));
      events.emit("productChanged", { product });
      return product;
    });

  function resolve(appId: AppId, selector: ProductSelector): Product | undefined {
    const appNo = applications.find(appId)?.no;
    if (appNo === undefined) return undefined;
    const no =
      "productId" in selector
        ? repository.numberOfId(selector.productId)
        : repository.numberOfModel(appNo, selector.manufacturerId, selector.model);
    const product = no === undefined ? undefined : compiled(no)?.product;
    return product?.appNo === appNo && matches(product, selector) ? product : undefined;
  }

  return {
    async importZip(appId, fileName, bytes) {
      const model = readPackage(fileName, bytes, limits.zip);
      return add(appId, defaultName(model), model);
    },
    async importJson(appId, { devicetype, servicetypes, name }) {
      const files = items({ file: "servicetypes", path: "$", value: servicetypes ?? [] });
      const model = parseModel(
        { file: "devicetype", path: "$", value: devicetype },
        files.map(({ value }, index) => ({
          at: { file: `servicetypes[${index}]`, path: "$", value },
          folder: undefined,
        })),
      );
      const given = name === undefined ? undefined : text({ file: "name", path: "$", value: name });
      return add(appId, given ?? defaultName(model), model);
    },
    list(appId, page, pageSize) {
      const { no } = applications.get(appId);
      return { items: repository.page(no, pageSize, page * pageSize), total: repository.count(no) };
    },
    get,
    resolve,
    setOmCapability: async (id, input) => {
      const omCapability = parseOmCapability({ file: "omCapability", path: "$", value: input });
      return change(id, (product) => {
        repository.setOmCapability(product.no, omCapability);
        return { ...product, omCapability };
      });
    },
    setTopics: async (id, input) => {
      const topics = parseTopics(input, limits.topics);
      return change(id, (product) => {
        if (product.protocolType !== "MQTT" && topics.length > 0)
          throw new DomainError("TOPIC_INVALID", { path: "$", reason: "only MQTT products have custom topics" });
        repository.setTopics(product.no, topics);
        return { ...product, topics };
      });
    },
    delete: (id) =>
      transactor.write(() => {
        const product = stored(id);
        repository.remove(product);
        transactor.afterCommit(() => cache.delete(product.no));
        events.emit("productDeleted", { product });
      }),
    compiled,
  };
}

const defaultName = ({ deviceType, manufacturerId, model }: ProductModel) => `${deviceType}_${manufacturerId}_${model}`;

function matches(product: Product, selector: ProductSelector): boolean {
  if ("productId" in selector) return product.id === selector.productId;
  const { manufacturerName, deviceType, protocolType } = selector;
  return (
    (manufacturerName === undefined || product.manufacturerName === manufacturerName) &&
    (deviceType === undefined || product.deviceType === deviceType) &&
    (protocolType === undefined || product.protocolType === findProtocolType(protocolType))
  );
}

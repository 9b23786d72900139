import type { Database } from "bun:sqlite";
import type { Clock } from "../../platform/clock";
import { DomainError } from "../../platform/domain-error";
import type { Listenable } from "../../platform/events";
import type { Log } from "../../platform/log";
import type { Metrics } from "../../platform/metrics";
import type { Transactor } from "../../platform/storage/group-commit";
import type { Product, ProductEvents, ProductId, ProductService } from "../products/product";
import type { CodecFailed, Codecs, Decoded, Encoded } from "./codec";
import { codecMetrics } from "./codec-metrics";
import { type CodecDefinition, codecRepository } from "./codec-repository";
import type { CodecService } from "./codec-service";
import type { CodecSettings } from "./codec-settings";
import { checkMessages } from "./messages/check-messages";
import { compileMessages } from "./messages/message-codec";
import { scriptCodec, scriptOf } from "./script/script-codec";
import { type ScriptPool, scriptPool } from "./script/script-pool";
import { type LoadedCodec, tryCodec } from "./try-codec";

type Parts = {
  /** registry.db. */
  readonly db: Database;
  readonly transactor: Transactor;
  readonly products: Pick<ProductService, "get" | "compiled">;
  readonly productEvents: Listenable<ProductEvents>;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly settings: CodecSettings;
  /** For tests. */
  readonly pool?: ScriptPool;
};
export type OpenedCodecs = {
  readonly codecs: Codecs;
  readonly service: CodecService;
  /** Ends the threads of scripts; what is under way fails. */
  stop(): void;
};

/** One codec a product, read and compiled when its first message comes, replaced after the commit of a change. */
export function openCodecs(parts: Parts): OpenedCodecs {
  const { db, transactor, products, productEvents, clock, log, settings } = parts;
  const repository = codecRepository(db);
  const pool = parts.pool ?? scriptPool({ settings, clock, log });
  const metrics = codecMetrics(parts.metrics, pool);
  const loaded = new Map<number, LoadedCodec | "none">();
  let tries = 0;

  productEvents.on("productDeleted", ({ product }) => {
    repository.remove(product.no); // gone with the row of the product already, where foreign keys are on
    transactor.afterCommit(() => forget(product.no));
  });

  function forget(productNo: number): void {
    loaded.delete(productNo);
    pool.forget(ownerOf(productNo));
  }

  function find(productNo: number): LoadedCodec | undefined {
    const known = loaded.get(productNo);
    if (known !== undefined) return known === "none" ? undefined : known;
    const stored = repository.find(productNo);
    const product = stored && products.compiled(productNo)?.product;
    const made = stored && product ? load(product, stored.definition, ownerOf(productNo)) : undefined;
    // What an open transaction shows may never come to be.
    if (!db.inTransaction) loaded.set(productNo, made ?? "none");
    return made;
  }

  /** The definition has been checked. */
  function load(product: Product, definition: CodecDefinition, owner: string, suspendable = true): LoadedCodec {
    if (definition.kind === "messages")
      return { kind: "messages", codec: compileMessages(definition.messages, product, settings) };
    return { kind: "script", codec: scriptCodec(pool, owner, scriptOf(definition.source), suspendable) };
  }

  async function check(product: Product, definition: CodecDefinition): Promise<void> {
    if (definition.kind === "messages") {
      const issues = checkMessages(definition.messages, product, settings);
      if (issues.length > 0) throw new DomainError("CODEC_INVALID", { reason: "it cannot be deployed", issues });
      return;
    }
    const { source } = definition;
    if (Buffer.byteLength(source) > settings.maxScriptBytes)
      throw new DomainError("CODEC_INVALID", { reason: `the script is longer than ${settings.maxScriptBytes} bytes` });
    const outcome = await pool.run(`check ${++tries}`, scriptOf(source), { kind: "load" }, false);
    if (outcome.kind === "returned") return;
    const { reason, message, line, column } = outcome;
    if (reason === "codec_busy") throw new DomainError("CONGESTED", { reason: message });
    const place = { ...(line !== undefined && { line }), ...(column !== undefined && { column }) };
    throw new DomainError("CODEC_INVALID", { reason: message, ...place });
  }

  const storedOf = (productId: ProductId) => {
    const stored = repository.find(products.get(productId).no);
    if (!stored) throw new DomainError("CODEC_NOT_FOUND", { productId });
    return stored;
  };

  const missing: CodecFailed = { kind: "failed", reason: "codec_missing", detail: "the product has no codec" };
  const faulty = (productNo: number, error: unknown): CodecFailed => {
    log.error("codec_failed", { productNo, error });
    return { kind: "failed", reason: "value_invalid", detail: "the codec failed" };
  };
  function counted<R extends Decoded | Encoded>(count: (result: R) => R, result: R | Promise<R>): R | Promise<R> {
    return result instanceof Promise ? result.then(count) : count(result);
  }

  const codecs: Codecs = {
    has: (productNo) => find(productNo) !== undefined,
    answersReports: (productNo) => find(productNo)?.codec.answersReports ?? false,
    decode(productNo, payload, topic) {
      try {
        return counted(metrics.decoded, find(productNo)?.codec.decode(payload, topic) ?? missing);
      } catch (error) {
        return metrics.decoded(faulty(productNo, error));
      }
    },
    encode(productNo, message) {
      try {
        return counted(metrics.encoded, find(productNo)?.codec.encode(message) ?? missing);
      } catch (error) {
        return metrics.encoded(faulty(productNo, error));
      }
    },
  };

  const service: CodecService = {
    async set(productId, definition) {
      await check(products.get(productId), definition);
      return transactor.write(() => {
        const { no } = products.get(productId); // it may have been deleted while the script was looked at
        const stored = repository.put(no, definition, clock.now());
        transactor.afterCommit(() => forget(no));
        return stored;
      });
    },
    get: storedOf,
    remove: (productId) =>
      transactor.write(() => {
        const { no } = products.get(productId);
        if (!repository.remove(no)) throw new DomainError("CODEC_NOT_FOUND", { productId });
        transactor.afterCommit(() => forget(no));
      }),
    async tryOut(productId, input, definition) {
      const product = products.get(productId);
      if (definition) await check(product, definition);
      const codec = load(product, definition ?? storedOf(productId).definition, `try ${++tries}`, false);
      return tryCodec(codec, input, products.compiled(product.no));
    },
  };

  return { codecs, service, stop: () => pool.stop() };
}

const ownerOf = (productNo: number) => `product ${productNo}`;

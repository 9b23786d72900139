import type { Database } from "bun:sqlite";
import type { MessageDefinition } from "./messages/definition";

export type CodecDefinition =
  | { readonly kind: "script"; readonly source: string }
  | { readonly kind: "messages"; readonly messages: readonly MessageDefinition[] };
export type StoredCodec = {
  readonly productNo: number;
  readonly definition: CodecDefinition;
  readonly revision: number; // from 1
  readonly createdAt: number; // ms
  readonly modifiedAt: number;
};

type Row = {
  product_no: number;
  kind: "script" | "messages";
  definition: string;
  revision: number;
  created_ms: number;
  modified_ms: number;
};

export function codecRepository(db: Database) {
  const select = db.query<Row, { productNo: number }>("SELECT * FROM codec WHERE product_no = $productNo");
  const upsert = db.query<Row, { productNo: number; kind: string; definition: string; now: number }>(
    `INSERT INTO codec (product_no, kind, definition, revision, created_ms, modified_ms)
     VALUES ($productNo, $kind, $definition, 1, $now, $now)
     ON CONFLICT (product_no) DO UPDATE SET kind = excluded.kind, definition = excluded.definition,
       revision = revision + 1, modified_ms = excluded.modified_ms
     RETURNING *`,
  );
  const remove = db.query<{ product_no: number }, { productNo: number }>(
    "DELETE FROM codec WHERE product_no = $productNo RETURNING product_no",
  );

  return {
    find(productNo: number): StoredCodec | undefined {
      const row = select.get({ productNo });
      return row ? toCodec(row) : undefined;
    },
    /** The product must be there. */
    put(productNo: number, definition: CodecDefinition, now: number): StoredCodec {
      const { kind } = definition;
      const text = kind === "script" ? definition.source : JSON.stringify(definition.messages);
      return toCodec(upsert.get({ productNo, kind, definition: text, now }) as Row);
    },
    /** False: there was none. */
    remove: (productNo: number): boolean => remove.get({ productNo }) !== null,
  };
}

const toCodec = ({ product_no, kind, definition, revision, created_ms, modified_ms }: Row): StoredCodec => ({
  productNo: product_no,
  definition:
    kind === "script"
      ? { kind, source: definition }
      : { kind, messages: JSON.parse(definition) as readonly MessageDefinition[] },
  revision,
  createdAt: created_ms,
  modifiedAt: modified_ms,
});

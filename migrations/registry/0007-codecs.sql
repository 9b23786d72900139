-- The codec of a product, at most one; it goes with its product.
CREATE TABLE codec (
  product_no INTEGER PRIMARY KEY REFERENCES product (no) ON DELETE CASCADE,
  kind TEXT NOT NULL, -- messages, script
  definition TEXT NOT NULL, -- JSON of the messages, or the source of the script
  revision INTEGER NOT NULL, -- counts its changes
  created_ms INTEGER NOT NULL,
  modified_ms INTEGER NOT NULL
) STRICT;

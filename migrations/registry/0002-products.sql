-- Numbers are never used again (AUTOINCREMENT): a device model once compiled is known by its number.
CREATE TABLE product (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app_no INTEGER NOT NULL REFERENCES application (no),
  name TEXT NOT NULL,
  manufacturer_id TEXT NOT NULL,
  manufacturer_name TEXT NOT NULL,
  model TEXT NOT NULL,
  device_type TEXT NOT NULL,
  protocol_type TEXT NOT NULL,
  om_capability TEXT, -- JSON
  services TEXT NOT NULL, -- JSON, the parsed model
  topics TEXT NOT NULL, -- JSON
  created_at_ms INTEGER NOT NULL,
  UNIQUE (app_no, manufacturer_id, model)
) STRICT;

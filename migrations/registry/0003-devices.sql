-- Numbers are never used again (AUTOINCREMENT): telemetry.db refers to them without foreign keys.
CREATE TABLE device (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app_no INTEGER NOT NULL REFERENCES application (no),
  product_no INTEGER REFERENCES product (no),
  node_id TEXT NOT NULL UNIQUE,
  gateway_no INTEGER NOT NULL, -- its own number: directly connected
  node_type TEXT NOT NULL,
  device_type TEXT, -- also when it comes from the product: for filtering
  -- Digests of the texts in `info`, for filtering by indexes of bounded width.
  name_key BLOB,
  location_key BLOB,
  info TEXT NOT NULL, -- JSON, without what the product says
  status TEXT NOT NULL,
  status_detail TEXT NOT NULL,
  muted INTEGER NOT NULL,
  is_secure INTEGER NOT NULL,
  tags TEXT, -- JSON, like the next two; NULL: none
  custom_fields TEXT,
  muted_commands TEXT,
  data_aging_days INTEGER,
  activated INTEGER NOT NULL, -- has connected once, ever
  bound INTEGER NOT NULL, -- has connected with its present credentials
  secret BLOB NOT NULL, -- sealed
  psk BLOB NOT NULL, -- sealed
  verify_key BLOB, -- digest: it must be unique and is never shown again
  created_at_ms INTEGER NOT NULL,
  modified_at_ms INTEGER NOT NULL,
  expires_at_ms INTEGER -- when it is deleted unless it has been bound; NULL: never
) STRICT;

-- The two indexes that hold every filter, so that any combination is answered from one of them; the status, which
-- changes most, stands in one only.
CREATE INDEX device_by_time ON device
  (app_no, created_at_ms, no, node_type, gateway_no, device_type, location_key, name_key);
CREATE INDEX device_by_status ON device
  (app_no, status, created_at_ms, no, node_type, gateway_no, device_type, location_key, name_key);
-- For filters that usually leave little.
CREATE INDEX device_by_gateway ON device (gateway_no, app_no, created_at_ms, no);
CREATE INDEX device_by_name ON device (app_no, name_key, created_at_ms, no);
CREATE INDEX device_by_location ON device (app_no, location_key, created_at_ms, no) WHERE location_key IS NOT NULL;
CREATE INDEX device_by_type ON device (app_no, device_type, created_at_ms, no);

CREATE INDEX device_by_product ON device (product_no);
CREATE INDEX device_online ON device (no) WHERE status = 'ONLINE';
CREATE INDEX device_expiring ON device (expires_at_ms) WHERE expires_at_ms IS NOT NULL;
CREATE INDEX device_aging ON device (no) WHERE data_aging_days > 0;
CREATE UNIQUE INDEX device_by_verify_key ON device (verify_key) WHERE verify_key IS NOT NULL;

-- For limits, totals and the numbers beside lists: counting 100,000 rows takes milliseconds, reading this does not.
CREATE TABLE device_count (
  app_no INTEGER NOT NULL,
  status TEXT NOT NULL,
  devices INTEGER NOT NULL,
  frozen INTEGER NOT NULL,
  non_secure INTEGER NOT NULL,
  PRIMARY KEY (app_no, status)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER device_count_added AFTER INSERT ON device BEGIN
  INSERT INTO device_count VALUES (NEW.app_no, NEW.status, 1, NEW.muted, 1 - NEW.is_secure)
  ON CONFLICT DO UPDATE SET devices = devices + 1, frozen = frozen + NEW.muted, non_secure = non_secure + 1 - NEW.is_secure;
END;
CREATE TRIGGER device_count_removed AFTER DELETE ON device BEGIN
  UPDATE device_count SET devices = devices - 1, frozen = frozen - OLD.muted, non_secure = non_secure - 1 + OLD.is_secure
  WHERE app_no = OLD.app_no AND status = OLD.status;
END;
CREATE TRIGGER device_count_changed AFTER UPDATE OF status, muted, is_secure ON device
WHEN NEW.status <> OLD.status OR NEW.muted <> OLD.muted OR NEW.is_secure <> OLD.is_secure BEGIN
  UPDATE device_count SET devices = devices - 1, frozen = frozen - OLD.muted, non_secure = non_secure - 1 + OLD.is_secure
  WHERE app_no = OLD.app_no AND status = OLD.status;
  INSERT INTO device_count VALUES (NEW.app_no, NEW.status, 1, NEW.muted, 1 - NEW.is_secure)
  ON CONFLICT DO UPDATE SET devices = devices + 1, frozen = frozen + NEW.muted, non_secure = non_secure + 1 - NEW.is_secure;
END;

-- Deleted devices whose history, shadow and traces in telemetry.db are still to be purged.
CREATE TABLE device_purge (device_no INTEGER PRIMARY KEY) STRICT;

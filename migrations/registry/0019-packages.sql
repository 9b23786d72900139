-- Numbers are never used again: tasks and open downloads know packages by them. The content is `packages/<file_id>` in
-- the data folder: on disk before its row is, and deleted after it.
CREATE TABLE upgrade_package (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  file_id TEXT NOT NULL UNIQUE,
  app_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  kind TEXT NOT NULL CHECK (kind IN ('firmware', 'software')),
  name TEXT NOT NULL,
  version TEXT NOT NULL,
  device_type TEXT NOT NULL,
  manufacturer_name TEXT NOT NULL,
  model TEXT NOT NULL,
  protocol_type TEXT NOT NULL,
  source_versions TEXT NOT NULL, -- JSON, a list of patterns; []: every version
  shard_size INTEGER NOT NULL,
  check_code INTEGER NOT NULL,
  file_name TEXT NOT NULL,
  size INTEGER NOT NULL,
  sha256 TEXT NOT NULL, -- hex
  description TEXT,
  date TEXT,
  uploaded_at_ms INTEGER NOT NULL,
  UNIQUE (app_no, kind, manufacturer_name, device_type, model, protocol_type, version)
) STRICT;
CREATE INDEX upgrade_package_of_app ON upgrade_package (app_no, no);

-- What a manufacturer signs its packages with.
CREATE TABLE package_public_key (
  app_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  manufacturer_name TEXT NOT NULL,
  pem TEXT NOT NULL,
  algorithm TEXT NOT NULL,
  fingerprint TEXT NOT NULL, -- SHA-256, hex
  created_at_ms INTEGER NOT NULL,
  PRIMARY KEY (app_no, manufacturer_name)
) STRICT, WITHOUT ROWID;

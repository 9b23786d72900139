-- DTLS sessions of devices, at most one each (docs/decisions/0005). AUTOINCREMENT: rows of telemetry.db name a session by
-- its number, so a number must never come back.
CREATE TABLE dtls_session (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  device_no INTEGER NOT NULL UNIQUE,
  session_id BLOB NOT NULL UNIQUE,
  connection_id BLOB, -- ours, in the records of the device; NULL: they carry none
  -- Where the device was last; NULL: the connection was closed, and the row is there to be resumed.
  address TEXT,
  port INTEGER,
  sealed BLOB NOT NULL, -- keys, master secret, identity
  -- The next record number as it was when a process of this generation wrote it.
  generation INTEGER NOT NULL,
  next_sequence INTEGER NOT NULL,
  window_top INTEGER NOT NULL,
  window_low INTEGER NOT NULL,
  window_high INTEGER NOT NULL,
  opened_ms INTEGER NOT NULL,
  used_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX dtls_session_by_use ON dtls_session (used_ms);

-- One row: counted up by every process before it sends its first record.
CREATE TABLE dtls_generation (no INTEGER NOT NULL) STRICT;
INSERT INTO dtls_generation VALUES (0);

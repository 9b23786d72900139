-- What a device said when it registered: one row a device, kept over restarts, because a device that sleeps goes on
-- with its registration and with the token of its observation.
CREATE TABLE lwm2m_registration (
  device_no INTEGER PRIMARY KEY,
  location TEXT NOT NULL UNIQUE, -- behind /rd/
  style TEXT NOT NULL, -- lwm2m, tup
  endpoint TEXT NOT NULL,
  version TEXT NOT NULL,
  binding TEXT NOT NULL, -- letters, with Q for queue mode
  lifetime_s INTEGER NOT NULL, -- 0: never ends
  root_path TEXT NOT NULL,
  formats TEXT NOT NULL, -- JSON
  objects TEXT NOT NULL, -- JSON
  secure INTEGER NOT NULL,
  address TEXT NOT NULL,
  port INTEGER NOT NULL,
  token BLOB NOT NULL UNIQUE, -- of the observation that carries its reports
  observed INTEGER NOT NULL, -- the device has agreed to it
  registered_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  expires_ms INTEGER -- NULL: never
) STRICT;
CREATE INDEX lwm2m_registration_expiry ON lwm2m_registration (expires_ms) WHERE expires_ms IS NOT NULL;

-- Further observations of a registration; they end with it.
CREATE TABLE lwm2m_observation (
  token BLOB PRIMARY KEY,
  device_no INTEGER NOT NULL,
  path TEXT NOT NULL,
  UNIQUE (device_no, path)
) STRICT, WITHOUT ROWID;

-- When a contact last changed the status or bound the device: what silence is counted from until something newer is known.
ALTER TABLE device ADD COLUMN contacted_at_ms INTEGER;
-- For the walk over devices without a long connection, product by product.
CREATE INDEX device_by_silence ON device (product_no, status, no) WHERE bound = 1 AND gateway_no = no;

-- What applications want of a device, by service. `properties` is JSON: name -> {value, setAtMs, state, ...}.
-- `open`: something of it waits or is being sent.
CREATE TABLE desired_service (
  device_no INTEGER NOT NULL,
  service_id TEXT NOT NULL,
  properties TEXT NOT NULL,
  open INTEGER NOT NULL,
  PRIMARY KEY (device_no, service_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX desired_service_open ON desired_service (device_no) WHERE open = 1;

-- Every change of it, as it was asked for.
CREATE TABLE desired_history (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  device_no INTEGER NOT NULL,
  service_id TEXT NOT NULL,
  desired TEXT NOT NULL, -- JSON
  set_at_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX desired_history_of_device ON desired_history (device_no, no);
CREATE INDEX desired_history_by_age ON desired_history (set_at_ms);

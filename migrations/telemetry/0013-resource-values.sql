-- Last known values of the resources of LwM2M devices: a view for operators, not history.
CREATE TABLE resource_value (
  device_no INTEGER NOT NULL,
  object_id INTEGER NOT NULL,
  instance_id INTEGER NOT NULL,
  resource_id INTEGER NOT NULL,
  type TEXT, -- NULL: the resource is there, its value was never seen
  value TEXT, -- JSON; NULL with a type: longer than what is kept
  omitted_chars INTEGER,
  seen_ms INTEGER NOT NULL,
  PRIMARY KEY (device_no, object_id, instance_id, resource_id)
) STRICT, WITHOUT ROWID;

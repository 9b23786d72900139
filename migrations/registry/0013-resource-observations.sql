-- What operators want to be observed, for as long as they do not take it back: begun again with every registration.
CREATE TABLE resource_observation (
  device_no INTEGER NOT NULL,
  path TEXT NOT NULL, -- /3/0/9
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (device_no, path)
) STRICT, WITHOUT ROWID;

-- One row is all that one device reported in one commit (split by hour of event time): an insert costs the same
-- whether it carries one report or hundreds. `no` grows in the order of storing and is what ties are broken by.
CREATE TABLE history_block (
  no INTEGER PRIMARY KEY,
  device_no INTEGER NOT NULL,
  stored_ms INTEGER NOT NULL,
  min_ms INTEGER NOT NULL,
  max_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  records TEXT NOT NULL
) STRICT;
-- Covers counting and paging: blocks are found, summed and skipped without being read.
CREATE INDEX history_block_time ON history_block (device_no, max_ms, no, min_ms, count);

-- The newest reported value of every property. `times` holds the times of properties older than `event_ms`, or NULL.
CREATE TABLE shadow (
  device_no INTEGER NOT NULL,
  service_id TEXT NOT NULL,
  reported TEXT NOT NULL,
  event_ms INTEGER NOT NULL,
  times TEXT,
  PRIMARY KEY (device_no, service_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE device_seen (
  device_no INTEGER PRIMARY KEY,
  seen_ms INTEGER NOT NULL
) STRICT;

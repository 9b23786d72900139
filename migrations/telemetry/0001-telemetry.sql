-- What one device reported in one commit (split by hour of event time), as it was stored: appended, without an index.
-- Memory knows what is here (recent-blocks.ts); every now and then it moves into larger blocks (move-recent.ts).
-- `no` grows in the order of storing and is what ties are broken by.
CREATE TABLE history_recent (
  no INTEGER PRIMARY KEY,
  device_no INTEGER NOT NULL,
  stored_ms INTEGER NOT NULL,
  min_ms INTEGER NOT NULL,
  max_ms INTEGER NOT NULL,
  count INTEGER NOT NULL,
  records TEXT NOT NULL
) STRICT;
-- All recent blocks up to here are in history_block; those that still stand in history_recent are to be deleted.
CREATE TABLE history_moved (
  only_one INTEGER PRIMARY KEY CHECK (only_one = 1),
  upto_no INTEGER NOT NULL
) STRICT;
INSERT INTO history_moved (only_one, upto_no) VALUES (1, 0);

-- Recent blocks of one device, joined; `no` is that of the first of them.
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

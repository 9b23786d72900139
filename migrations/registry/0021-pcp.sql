-- PCP: the exact message that told a device to install, so that a later process repeats it and the device takes it once.
CREATE TABLE pcp_execute (
  device_no INTEGER PRIMARY KEY,
  sub_task_no INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  datagram BLOB NOT NULL,
  sent_at_ms INTEGER NOT NULL
) STRICT;

-- The last request of a device that ended an attempt: when its answer got lost, it is answered the same way again.
CREATE TABLE pcp_answered (
  device_no INTEGER PRIMARY KEY,
  request BLOB NOT NULL
) STRICT;

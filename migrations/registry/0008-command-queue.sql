-- Commands to devices that sleep.
-- `dispatch`: connected (through a connection), immediate or cached (to a device that sleeps).
-- `queued` = 1: it has its place in the queue of its device: PENDING, or SENT and not acknowledged. One leaves at a time.
-- `datagram`: the exact bytes of a queued command that was sent, so that a later process goes on with the same message.
-- `answer_until_ms` is, for a PENDING command, the end of its validity; for a queued SENT one, of the wait for its ACK.
ALTER TABLE command ADD COLUMN dispatch TEXT NOT NULL DEFAULT 'connected';
ALTER TABLE command ADD COLUMN queued INTEGER NOT NULL DEFAULT 0;
ALTER TABLE command ADD COLUMN datagram BLOB;
CREATE INDEX command_queue ON command (device_no, no) WHERE queued = 1;
CREATE INDEX command_awaited ON command (no) WHERE queued = 1 AND status = 'SENT';
CREATE INDEX command_expiry ON command (answer_until_ms) WHERE status = 'PENDING';

-- Tasks that cancel what is PENDING for a device (1.9.5). `total`: commands it named; rows of old commands go before it.
CREATE TABLE command_cancel_task (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app_id TEXT NOT NULL,
  device_no INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  status TEXT NOT NULL, -- WAITTING, RUNNING, SUCCESS, FAILED, PART_SUCCESS
  total INTEGER NOT NULL,
  cancelled INTEGER NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX command_cancel_task_of_app ON command_cancel_task (app_id, created_ms, no);
CREATE INDEX command_cancel_task_of_device ON command_cancel_task (device_no, created_ms, no);
CREATE INDEX command_cancel_task_open ON command_cancel_task (no) WHERE status IN ('WAITTING', 'RUNNING');
CREATE INDEX command_cancel_task_age ON command_cancel_task (created_ms);

CREATE TABLE command_cancel_item (
  task_no INTEGER NOT NULL REFERENCES command_cancel_task (no) ON DELETE CASCADE,
  command_no INTEGER NOT NULL REFERENCES command (no) ON DELETE CASCADE,
  done INTEGER NOT NULL, -- 1: the task has seen to it
  PRIMARY KEY (task_no, command_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX command_cancel_item_of_command ON command_cancel_item (command_no);

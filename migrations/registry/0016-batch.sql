-- Batch tasks: the same for many devices (API reference 1.10; platform.md 4, 7.7, 8). Sub-tasks are counted in the row
-- of their task, so that nothing ever counts 100,000 rows.
CREATE TABLE batch_task (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app_no INTEGER NOT NULL,
  app_id TEXT NOT NULL,
  kind TEXT NOT NULL, -- command, configuration, registration, deletion
  name TEXT NOT NULL,
  operator TEXT NOT NULL,
  origin TEXT NOT NULL, -- Portal, Northbound
  tags TEXT, -- JSON; NULL: none
  phase TEXT NOT NULL, -- loading, expanding, scheduled, running, closing, ended, deleting
  ending TEXT, -- of closing and ended: Complete, Timeout, Stopped
  target_cursor TEXT, -- JSON: where the walk over its targets is
  timeout_s INTEGER,
  start_ms INTEGER NOT NULL,
  deadline_ms INTEGER, -- NULL: none
  created_ms INTEGER NOT NULL,
  ended_ms INTEGER,
  total INTEGER NOT NULL DEFAULT 0,
  waiting INTEGER NOT NULL DEFAULT 0, -- WaitResult
  success INTEGER NOT NULL DEFAULT 0,
  fail INTEGER NOT NULL DEFAULT 0,
  timeout INTEGER NOT NULL DEFAULT 0,
  expired INTEGER NOT NULL DEFAULT 0 -- of those in `timeout`: nothing was ever sent
) STRICT;
CREATE UNIQUE INDEX batch_task_name ON batch_task (app_no, kind, name) WHERE phase <> 'deleting';
CREATE INDEX batch_task_of_app ON batch_task (app_no, no);
CREATE INDEX batch_task_open ON batch_task (no) WHERE phase <> 'ended';
CREATE INDEX batch_task_age ON batch_task (ended_ms) WHERE phase = 'ended';

-- What it is to do, as JSON. Apart, because it may be large and never changes.
CREATE TABLE batch_spec (
  task_no INTEGER PRIMARY KEY REFERENCES batch_task (no) ON DELETE CASCADE,
  spec TEXT NOT NULL
) STRICT;

-- Sub-tasks. `target`: a deviceId, or the nodeId that is to be registered.
CREATE TABLE batch_item (
  task_no INTEGER NOT NULL REFERENCES batch_task (no),
  pos INTEGER NOT NULL,
  target TEXT NOT NULL,
  device_no INTEGER, -- NULL: no such device
  device_id TEXT,
  state TEXT NOT NULL, -- Pending, WaitResult, Success, Fail, Timeout
  due_ms INTEGER NOT NULL DEFAULT 0, -- Pending ones: not before
  tries INTEGER NOT NULL DEFAULT 0,
  command_no INTEGER,
  command_id TEXT,
  wanted TEXT, -- JSON, configuration: values of which the outcome is awaited
  sealed BLOB, -- registration: what is registered, then the credentials it was given; sealed
  result TEXT, -- JSON
  error TEXT, -- JSON
  ended_ms INTEGER,
  PRIMARY KEY (task_no, pos)
) STRICT, WITHOUT ROWID;
CREATE INDEX batch_item_state ON batch_item (task_no, state, due_ms, pos);
CREATE INDEX batch_item_target ON batch_item (task_no, target);
CREATE INDEX batch_item_command ON batch_item (command_id) WHERE command_id IS NOT NULL;
CREATE INDEX batch_item_open_device ON batch_item (device_no)
  WHERE device_no IS NOT NULL AND state IN ('Pending', 'WaitResult');

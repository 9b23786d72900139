-- Remote diagnosis (platform.md 13). `sent` is stored before the request leaves, so that nothing is sent twice.
CREATE TABLE diagnosis_task (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  device_no INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  kind TEXT NOT NULL, -- reboot, collectLog
  state TEXT NOT NULL, -- Waiting, Processing, Success, Fail
  sent INTEGER NOT NULL, -- of Processing
  reason TEXT, -- of Fail
  detail TEXT,
  created_ms INTEGER NOT NULL,
  processing_ms INTEGER,
  sent_ms INTEGER,
  ended_ms INTEGER,
  send_until_ms INTEGER NOT NULL,
  due_ms INTEGER -- when the present state has lasted too long; NULL: it has ended
) STRICT;
CREATE UNIQUE INDEX diagnosis_task_open ON diagnosis_task (device_no, kind) WHERE due_ms IS NOT NULL;
CREATE INDEX diagnosis_task_due ON diagnosis_task (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX diagnosis_task_of_device ON diagnosis_task (device_no, no);
CREATE INDEX diagnosis_task_by_state ON diagnosis_task (state, kind, no);

CREATE TABLE diagnosis_log (
  task_no INTEGER PRIMARY KEY REFERENCES diagnosis_task (no) ON DELETE CASCADE,
  content_type TEXT NOT NULL,
  content BLOB NOT NULL
) STRICT;

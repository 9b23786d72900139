-- Upgrades of firmware and software (API reference 1.12; ota.md, pcp.md 6). Sub-tasks are counted in the row of their
-- task. Times called `due`, `until` are on the time that does not jump; all others are the wall clock's.
CREATE TABLE upgrade_task (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app_no INTEGER NOT NULL,
  app_id TEXT NOT NULL,
  kind TEXT NOT NULL, -- firmware, software
  name TEXT NOT NULL,
  operator TEXT NOT NULL,
  origin TEXT NOT NULL, -- Portal, Northbound
  device_type TEXT NOT NULL, -- of the packages
  manufacturer_name TEXT NOT NULL,
  model TEXT NOT NULL,
  packages TEXT NOT NULL, -- JSON: [{no, id}]
  targets TEXT NOT NULL, -- JSON
  policy TEXT NOT NULL, -- JSON
  status TEXT NOT NULL, -- wait, processing, success, failed, stop
  work TEXT, -- loading, admitting, stopping, retrying, deleting: what is done with its sub-tasks, step by step
  work_cursor INTEGER NOT NULL DEFAULT 0, -- the last sub-task of that
  unpark INTEGER NOT NULL DEFAULT 0, -- 1: resumed, and some may still be parked
  paused TEXT, -- byOperator, byFailures
  stopped INTEGER NOT NULL DEFAULT 0,
  window_end_ms INTEGER, -- when nothing more begins
  since_ended INTEGER NOT NULL DEFAULT 0, -- what had ended, and failed, when it was resumed
  since_failed INTEGER NOT NULL DEFAULT 0,
  total INTEGER NOT NULL DEFAULT 0,
  wait INTEGER NOT NULL DEFAULT 0,
  processing INTEGER NOT NULL DEFAULT 0,
  success INTEGER NOT NULL DEFAULT 0,
  fail INTEGER NOT NULL DEFAULT 0,
  stop INTEGER NOT NULL DEFAULT 0,
  timeout INTEGER NOT NULL DEFAULT 0, -- of those in `fail`
  created_ms INTEGER NOT NULL,
  started_ms INTEGER,
  ended_ms INTEGER
) STRICT;
CREATE INDEX upgrade_task_of_app ON upgrade_task (app_no, no);
CREATE INDEX upgrade_task_work ON upgrade_task (no) WHERE work IS NOT NULL OR unpark = 1;
CREATE INDEX upgrade_task_age ON upgrade_task (ended_ms) WHERE ended_ms IS NOT NULL;

-- Packages that unfinished tasks need.
CREATE TABLE upgrade_package_use (
  package_no INTEGER NOT NULL,
  task_no INTEGER NOT NULL REFERENCES upgrade_task (no) ON DELETE CASCADE,
  PRIMARY KEY (package_no, task_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX upgrade_package_use_task ON upgrade_package_use (task_no);

CREATE TABLE upgrade_sub_task (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  task_no INTEGER NOT NULL REFERENCES upgrade_task (no),
  device_no INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  kind TEXT NOT NULL,
  status TEXT NOT NULL, -- wait, processing, success, fail, stop
  claims INTEGER NOT NULL DEFAULT 0, -- 1: the device is upgraded by this one and no other
  parked INTEGER NOT NULL DEFAULT 0, -- 1: would go on if the task were not paused
  executions INTEGER NOT NULL DEFAULT 0, -- attempts that have ended
  retries INTEGER NOT NULL DEFAULT 0, -- of those that it has
  due_ms INTEGER, -- when it is to be looked at
  -- The attempt under way; stage NULL: none.
  stage TEXT,
  sent TEXT, -- no, trying, yes
  progress TEXT, -- idle, downloading, downloaded, updating
  claimed INTEGER NOT NULL DEFAULT 0, -- 1: the device said that it succeeded
  stage_due_ms INTEGER,
  ready_until_ms INTEGER,
  slot_until_ms INTEGER,
  place TEXT, -- cell and level
  token BLOB, -- sealed
  token_until_ms INTEGER,
  way TEXT,
  package_no INTEGER,
  package_id TEXT,
  source_version TEXT,
  current_version TEXT,
  target_version TEXT,
  detail TEXT,
  error_code TEXT,
  timed_out INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL,
  started_ms INTEGER,
  download_started_ms INTEGER,
  downloaded_ms INTEGER,
  ended_ms INTEGER,
  UNIQUE (task_no, device_no)
) STRICT;
CREATE UNIQUE INDEX upgrade_sub_task_claim ON upgrade_sub_task (device_no) WHERE claims = 1;
CREATE INDEX upgrade_sub_task_due ON upgrade_sub_task (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX upgrade_sub_task_active ON upgrade_sub_task (no) WHERE stage IS NOT NULL;
CREATE INDEX upgrade_sub_task_open ON upgrade_sub_task (device_no) WHERE status IN ('wait', 'processing');
CREATE INDEX upgrade_sub_task_status ON upgrade_sub_task (task_no, status, no);
CREATE INDEX upgrade_sub_task_of_task ON upgrade_sub_task (task_no, no);
CREATE INDEX upgrade_sub_task_parked ON upgrade_sub_task (task_no) WHERE parked = 1;
CREATE INDEX upgrade_sub_task_device ON upgrade_sub_task (device_id, task_no);

-- `carrier_no` is the device that has the connection: the device itself, or the gateway of a sub-device.
-- `mid` tells the open commands of a carrier apart on the wire; it may be used again when the command is no longer open.
CREATE TABLE command (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL,
  app_no INTEGER NOT NULL,
  app_id TEXT NOT NULL,
  device_no INTEGER NOT NULL,
  device_id TEXT NOT NULL,
  carrier_no INTEGER NOT NULL,
  mid INTEGER NOT NULL,
  origin TEXT NOT NULL,
  service_id TEXT NOT NULL,
  service_type TEXT NOT NULL,
  method TEXT NOT NULL,
  paras TEXT NOT NULL,
  mode TEXT NOT NULL,
  sender TEXT,
  to_type TEXT,
  receiver TEXT,
  callback_url TEXT,
  expire_time_s INTEGER,
  max_retransmit INTEGER,
  status TEXT NOT NULL,
  open INTEGER NOT NULL,
  result TEXT,
  issued_times INTEGER NOT NULL,
  answer_until_ms INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  sent_ms INTEGER,
  delivered_ms INTEGER,
  executed_ms INTEGER,
  UNIQUE (app_id, id)
) STRICT;
CREATE UNIQUE INDEX command_open_mid ON command (carrier_no, mid) WHERE open = 1;
CREATE INDEX command_open_until ON command (answer_until_ms) WHERE open = 1;
CREATE INDEX command_of_carrier ON command (carrier_no, no);
CREATE INDEX command_of_app ON command (app_id, created_ms, no);
CREATE INDEX command_of_device ON command (device_no, created_ms, no);
CREATE INDEX command_ended ON command (created_ms) WHERE open = 0;

-- Gateways and nodes of LoRa, behind the server (a device) that they were registered at.
CREATE TABLE lora_device (
  device_no INTEGER PRIMARY KEY REFERENCES device (no),
  kind TEXT NOT NULL, -- gateway, node
  eui TEXT NOT NULL UNIQUE, -- lower case: the same in any spelling
  server_no INTEGER NOT NULL,
  server_id TEXT NOT NULL, -- told also when the server is gone
  facts TEXT NOT NULL, -- JSON, as they were given
  keys BLOB NOT NULL -- sealed JSON
) STRICT;
CREATE INDEX lora_device_by_server ON lora_device (server_no);

-- What a LoRa server may know and the platform does not (yet): the server is asked and has not answered, or it may have
-- what the platform gave up, and has still to be told to forget it.
CREATE TABLE lora_pending (
  server_no INTEGER NOT NULL,
  eui TEXT NOT NULL,
  kind TEXT NOT NULL,
  spelling TEXT NOT NULL, -- of the EUI, as the server was told it
  state TEXT NOT NULL, -- registering, withdrawing
  since_ms INTEGER NOT NULL,
  PRIMARY KEY (server_no, eui)
) STRICT, WITHOUT ROWID;
CREATE INDEX lora_pending_by_eui ON lora_pending (eui);

-- How many devices are behind each gateway: the limit is looked at with each further one.
CREATE TABLE sub_device_count (
  gateway_no INTEGER PRIMARY KEY,
  devices INTEGER NOT NULL
) STRICT;
INSERT INTO sub_device_count SELECT gateway_no, count(*) FROM device WHERE gateway_no <> no GROUP BY gateway_no;
CREATE TRIGGER sub_device_added AFTER INSERT ON device WHEN NEW.gateway_no <> NEW.no BEGIN
  INSERT INTO sub_device_count VALUES (NEW.gateway_no, 1) ON CONFLICT DO UPDATE SET devices = devices + 1;
END;
CREATE TRIGGER sub_device_removed AFTER DELETE ON device WHEN OLD.gateway_no <> OLD.no BEGIN
  UPDATE sub_device_count SET devices = devices - 1 WHERE gateway_no = OLD.gateway_no;
END;
CREATE TRIGGER sub_device_moved AFTER UPDATE OF gateway_no ON device WHEN NEW.gateway_no <> OLD.gateway_no BEGIN
  UPDATE sub_device_count SET devices = devices - 1 WHERE gateway_no = OLD.gateway_no AND OLD.gateway_no <> OLD.no;
  INSERT INTO sub_device_count SELECT NEW.gateway_no, 1 WHERE NEW.gateway_no <> NEW.no
  ON CONFLICT DO UPDATE SET devices = devices + 1;
END;
CREATE TRIGGER sub_device_count_over AFTER DELETE ON device WHEN OLD.gateway_no = OLD.no BEGIN
  DELETE FROM sub_device_count WHERE gateway_no = OLD.no;
END;

-- Persistent MQTT sessions (clean session 0), one for each device. AUTOINCREMENT: rows of telemetry.db name a session by
-- its number, so a number must never come back.
CREATE TABLE mqtt_session (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  device_no INTEGER NOT NULL UNIQUE,
  created_ms INTEGER NOT NULL,
  expires_ms INTEGER -- NULL while the device is connected
) STRICT;
CREATE INDEX mqtt_session_expiry ON mqtt_session (expires_ms) WHERE expires_ms IS NOT NULL;

CREATE TABLE mqtt_subscription (
  session_no INTEGER NOT NULL REFERENCES mqtt_session (no) ON DELETE CASCADE,
  filter TEXT NOT NULL,
  qos INTEGER NOT NULL,
  PRIMARY KEY (session_no, filter)
) STRICT, WITHOUT ROWID;

-- Messages to the device, QoS 1 and 2, that it has not acknowledged; `seq` is the order of sending.
CREATE TABLE mqtt_outbound (
  seq INTEGER PRIMARY KEY,
  session_no INTEGER NOT NULL REFERENCES mqtt_session (no) ON DELETE CASCADE,
  packet_id INTEGER NOT NULL,
  qos INTEGER NOT NULL,
  mid INTEGER NOT NULL, -- of the command
  state TEXT NOT NULL, -- publish, pubrel
  topic BLOB NOT NULL,
  payload BLOB NOT NULL,
  UNIQUE (session_no, packet_id)
) STRICT;

-- Persistent MQTT sessions (clean session 0) of applications: which of their topics they listen to. What they have not
-- acknowledged is in the outboxes. An application may have several connections, each with a client id of its own.
CREATE TABLE mqtt_application_session (
  no INTEGER PRIMARY KEY,
  app_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  client_id TEXT NOT NULL,
  expires_ms INTEGER, -- NULL while it is connected
  UNIQUE (app_no, client_id)
) STRICT;
CREATE INDEX mqtt_application_session_expiry ON mqtt_application_session (expires_ms) WHERE expires_ms IS NOT NULL;

CREATE TABLE mqtt_application_subscription (
  session_no INTEGER NOT NULL REFERENCES mqtt_application_session (no) ON DELETE CASCADE,
  filter TEXT NOT NULL,
  PRIMARY KEY (session_no, filter)
) STRICT, WITHOUT ROWID;

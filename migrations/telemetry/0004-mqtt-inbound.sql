-- Packet identifiers of QoS 2 messages between PUBLISH and PUBREL, of persistent sessions. They lie here so that a report
-- and its identifier are one transaction.
CREATE TABLE mqtt_inbound (
  session_no INTEGER NOT NULL,
  packet_id INTEGER NOT NULL,
  PRIMARY KEY (session_no, packet_id)
) STRICT, WITHOUT ROWID;

-- The highest record number of a device's DTLS session that led to an acknowledgement. It lies here so that a report and
-- the mark that keeps it from being played again are one transaction.
CREATE TABLE dtls_window (
  device_no INTEGER PRIMARY KEY,
  session_no INTEGER NOT NULL, -- of a session that is gone: nobody's
  top INTEGER NOT NULL
) STRICT;

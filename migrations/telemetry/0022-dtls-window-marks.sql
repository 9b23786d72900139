-- Twice the number, and one more when the record that was acknowledged had been overtaken.
ALTER TABLE dtls_window RENAME COLUMN top TO mark;
UPDATE dtls_window SET mark = mark * 2;

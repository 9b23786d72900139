-- Groups of devices, as trees. Numbers are never used again: rows of members outlive their group (see below).
CREATE TABLE device_group (
  no INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  app_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  parent_no INTEGER REFERENCES device_group (no), -- NULL: a root
  name TEXT NOT NULL,
  description TEXT,
  max_devices INTEGER NOT NULL, -- 0: no limit
  devices INTEGER NOT NULL DEFAULT 0, -- its own, not those of its children
  is_default INTEGER NOT NULL,
  creator TEXT NOT NULL,
  created_at_ms INTEGER NOT NULL,
  UNIQUE (app_no, name)
) STRICT;
CREATE INDEX device_group_of_app ON device_group (app_no, is_default, no);
CREATE INDEX device_group_by_parent ON device_group (parent_no, app_no, no);

-- Every application has one that cannot be deleted.
CREATE TRIGGER device_group_default AFTER INSERT ON application BEGIN
  INSERT INTO device_group (id, app_no, name, max_devices, is_default, creator, created_at_ms)
  VALUES ('default-' || NEW.id, NEW.no, 'DefaultGroup', 0, 1, 'system', NEW.created_at_ms);
END;
INSERT INTO device_group (id, app_no, name, max_devices, is_default, creator, created_at_ms)
SELECT 'default-' || id, no, 'DefaultGroup', 0, 1, 'system', created_at_ms FROM application;

-- At most one group a device. When a group is deleted its rows stay: removing 100,000 of them would hold up everything
-- else. A row whose group is gone counts as none, is overwritten by the next group, and goes with its device.
CREATE TABLE device_group_member (
  device_no INTEGER PRIMARY KEY REFERENCES device (no) ON DELETE CASCADE,
  group_no INTEGER NOT NULL
) STRICT;
CREATE INDEX device_group_member_by_group ON device_group_member (group_no, device_no);

-- Counting 100,000 members takes milliseconds, reading a number does not.
CREATE TRIGGER device_group_count_added AFTER INSERT ON device_group_member BEGIN
  UPDATE device_group SET devices = devices + 1 WHERE no = NEW.group_no;
END;
CREATE TRIGGER device_group_count_removed AFTER DELETE ON device_group_member BEGIN
  UPDATE device_group SET devices = devices - 1 WHERE no = OLD.group_no;
END;
CREATE TRIGGER device_group_count_changed AFTER UPDATE OF group_no ON device_group_member BEGIN
  UPDATE device_group SET devices = devices - 1 WHERE no = OLD.group_no;
  UPDATE device_group SET devices = devices + 1 WHERE no = NEW.group_no;
END;

-- Tags of devices, for searching: `device.tags` (JSON) says which, the triggers below keep this in step with it.
CREATE TABLE tag (
  no INTEGER PRIMARY KEY,
  app_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL, -- '': any value; every name has such a row beside those of its values
  defined INTEGER NOT NULL DEFAULT 0, -- by an operator: stays when no device has it
  devices INTEGER NOT NULL DEFAULT 0,
  UNIQUE (app_no, name, value)
) STRICT;
CREATE TABLE device_tag (
  tag_no INTEGER NOT NULL,
  registered_ms INTEGER NOT NULL, -- the device's created_at_ms, which never changes: lists are in this order
  device_no INTEGER NOT NULL,
  PRIMARY KEY (tag_no, registered_ms, device_no)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER tag_count_added AFTER INSERT ON device_tag BEGIN
  UPDATE tag SET devices = devices + 1 WHERE no = NEW.tag_no;
END;
CREATE TRIGGER tag_count_removed AFTER DELETE ON device_tag BEGIN
  UPDATE tag SET devices = devices - 1 WHERE no = OLD.tag_no;
  DELETE FROM tag WHERE no = OLD.tag_no AND devices = 0 AND defined = 0;
END;

CREATE TRIGGER device_tags_added AFTER INSERT ON device WHEN NEW.tags IS NOT NULL BEGIN
  INSERT INTO tag (app_no, name, value)
  SELECT NEW.app_no, json_extract(it.value, '$.tagName'), json_extract(it.value, '$.tagValue') FROM json_each(NEW.tags) AS it
  UNION SELECT NEW.app_no, json_extract(it.value, '$.tagName'), '' FROM json_each(NEW.tags) AS it
  WHERE TRUE ON CONFLICT DO NOTHING;
  INSERT INTO device_tag
  SELECT DISTINCT tag.no, NEW.created_at_ms, NEW.no FROM json_each(NEW.tags) AS it CROSS JOIN tag
  ON tag.app_no = NEW.app_no AND tag.name = json_extract(it.value, '$.tagName')
    AND tag.value IN (json_extract(it.value, '$.tagValue'), '');
END;
CREATE TRIGGER device_tags_removed AFTER DELETE ON device WHEN OLD.tags IS NOT NULL BEGIN
  DELETE FROM device_tag WHERE registered_ms = OLD.created_at_ms AND device_no = OLD.no AND tag_no IN (
    SELECT tag.no FROM json_each(OLD.tags) AS it CROSS JOIN tag
    ON tag.app_no = OLD.app_no AND tag.name = json_extract(it.value, '$.tagName')
      AND tag.value IN (json_extract(it.value, '$.tagValue'), ''));
END;
CREATE TRIGGER device_tags_changed AFTER UPDATE OF tags ON device WHEN NEW.tags IS NOT OLD.tags BEGIN
  DELETE FROM device_tag WHERE registered_ms = OLD.created_at_ms AND device_no = OLD.no AND tag_no IN (
    SELECT tag.no FROM json_each(OLD.tags) AS it CROSS JOIN tag
    ON tag.app_no = OLD.app_no AND tag.name = json_extract(it.value, '$.tagName')
      AND tag.value IN (json_extract(it.value, '$.tagValue'), ''));
  INSERT INTO tag (app_no, name, value)
  SELECT NEW.app_no, json_extract(it.value, '$.tagName'), json_extract(it.value, '$.tagValue') FROM json_each(NEW.tags) AS it
  UNION SELECT NEW.app_no, json_extract(it.value, '$.tagName'), '' FROM json_each(NEW.tags) AS it
  WHERE TRUE ON CONFLICT DO NOTHING;
  INSERT INTO device_tag
  SELECT DISTINCT tag.no, NEW.created_at_ms, NEW.no FROM json_each(NEW.tags) AS it CROSS JOIN tag
  ON tag.app_no = NEW.app_no AND tag.name = json_extract(it.value, '$.tagName')
    AND tag.value IN (json_extract(it.value, '$.tagValue'), '');
END;

-- What devices have already.
INSERT INTO tag (app_no, name, value)
SELECT device.app_no, json_extract(it.value, '$.tagName'), json_extract(it.value, '$.tagValue')
FROM device CROSS JOIN json_each(device.tags) AS it WHERE device.tags IS NOT NULL
UNION SELECT device.app_no, json_extract(it.value, '$.tagName'), ''
FROM device CROSS JOIN json_each(device.tags) AS it WHERE device.tags IS NOT NULL;
INSERT INTO device_tag
SELECT DISTINCT tag.no, device.created_at_ms, device.no
FROM device CROSS JOIN json_each(device.tags) AS it CROSS JOIN tag
ON tag.app_no = device.app_no AND tag.name = json_extract(it.value, '$.tagName')
  AND tag.value IN (json_extract(it.value, '$.tagValue'), '')
WHERE device.tags IS NOT NULL;

-- An application lets another see (query) or also operate (edit) what it owns.
CREATE TABLE application_grant (
  owner_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  grantee_no INTEGER NOT NULL REFERENCES application (no) ON DELETE CASCADE,
  access TEXT NOT NULL CHECK (access IN ('query', 'edit')),
  created_ms INTEGER NOT NULL,
  PRIMARY KEY (owner_no, grantee_no),
  CHECK (owner_no <> grantee_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX application_grant_of_grantee ON application_grant (grantee_no, owner_no);

-- The authorised application that subscribed; null: the application itself. The subscription goes with the grant.
ALTER TABLE subscription ADD COLUMN made_by_no INTEGER;
-- The authorised application that `callback_url` belongs to; null: the application itself.
ALTER TABLE command ADD COLUMN callback_app_no INTEGER;

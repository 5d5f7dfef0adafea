CREATE TABLE IF NOT EXISTS "sessions" (
	id      BLOB    NOT NULL PRIMARY KEY,
	version INTEGER NOT NULL,
	expiry  INTEGER NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created INTEGER NOT NULL,
	updated INTEGER NOT NULL,
	data    BLOB    NOT NULL
);

CREATE INDEX IF NOT EXISTS "sessions_expiry" ON "sessions" (expiry);

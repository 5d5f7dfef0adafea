-- A table of an earlier version lacks columns. Add them first:
-- ALTER TABLE "sessions" ADD COLUMN seen INTEGER;
-- ALTER TABLE "sessions" ADD COLUMN user_hash BLOB;

CREATE TABLE IF NOT EXISTS "sessions" (
	id        BLOB    NOT NULL PRIMARY KEY,
	version   INTEGER NOT NULL,
	expiry    INTEGER NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created   INTEGER NOT NULL,
	updated   INTEGER NOT NULL,
	seen      INTEGER, -- NULL: when updated
	user_hash BLOB,    -- NULL: no user
	data      BLOB    NOT NULL
);

CREATE INDEX IF NOT EXISTS "sessions_expiry" ON "sessions" (expiry);

CREATE INDEX IF NOT EXISTS "sessions_user" ON "sessions" (user_hash, id)
	WHERE user_hash IS NOT NULL;

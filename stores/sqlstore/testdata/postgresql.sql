-- A table of an earlier version lacks columns. Add them first:
-- ALTER TABLE "sessions" ADD COLUMN IF NOT EXISTS seen BIGINT;
-- ALTER TABLE "sessions" ADD COLUMN IF NOT EXISTS user_hash BYTEA;

CREATE TABLE IF NOT EXISTS "sessions" (
	id        BYTEA  NOT NULL PRIMARY KEY,
	version   BIGINT NOT NULL,
	expiry    BIGINT NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created   BIGINT NOT NULL,
	updated   BIGINT NOT NULL,
	seen      BIGINT, -- NULL: when updated
	user_hash BYTEA,  -- NULL: no user
	data      BYTEA  NOT NULL
);

CREATE INDEX IF NOT EXISTS "sessions_expiry" ON "sessions" (expiry);

CREATE INDEX IF NOT EXISTS "sessions_user" ON "sessions" (user_hash, id)
	WHERE user_hash IS NOT NULL;

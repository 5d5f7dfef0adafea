CREATE TABLE IF NOT EXISTS "sessions" (
	id      BYTEA  NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	expiry  BIGINT NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	data    BYTEA  NOT NULL
);

CREATE INDEX IF NOT EXISTS "sessions_expiry" ON "sessions" (expiry);

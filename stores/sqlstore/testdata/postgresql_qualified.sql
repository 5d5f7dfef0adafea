CREATE TABLE IF NOT EXISTS "auth"."web_sessions" (
	id      BYTEA  NOT NULL PRIMARY KEY,
	version BIGINT NOT NULL,
	expiry  BIGINT NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created BIGINT NOT NULL,
	updated BIGINT NOT NULL,
	data    BYTEA  NOT NULL
);

CREATE INDEX IF NOT EXISTS "web_sessions_expiry" ON "auth"."web_sessions" (expiry);

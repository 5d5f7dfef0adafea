-- A table of an earlier version lacks columns. Add them first:
-- ALTER TABLE `sessions` ADD COLUMN seen BIGINT;
-- ALTER TABLE `sessions` ADD COLUMN user_hash VARBINARY(64);
-- CREATE INDEX `sessions_user` ON `sessions` (user_hash, id);

CREATE TABLE IF NOT EXISTS `sessions` (
	id        VARBINARY(512) NOT NULL PRIMARY KEY,
	version   BIGINT         NOT NULL,
	expiry    BIGINT         NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created   BIGINT         NOT NULL,
	updated   BIGINT         NOT NULL,
	seen      BIGINT,        -- NULL: when updated
	user_hash VARBINARY(64), -- NULL: no user
	data      LONGBLOB       NOT NULL,
	INDEX `sessions_expiry` (expiry),
	INDEX `sessions_user` (user_hash, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;

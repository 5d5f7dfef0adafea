CREATE TABLE IF NOT EXISTS `sessions` (
	id      VARBINARY(512) NOT NULL PRIMARY KEY,
	version BIGINT         NOT NULL,
	expiry  BIGINT         NOT NULL, -- times are microseconds since 1970-01-01 00:00 UTC
	created BIGINT         NOT NULL,
	updated BIGINT         NOT NULL,
	data    LONGBLOB       NOT NULL,
	INDEX `sessions_expiry` (expiry)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC;

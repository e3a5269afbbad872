-- The table of tokens, for MySQL and MariaDB.  It belongs to the application
-- that issues tokens; the gateway only reads it:
--
--	GRANT SELECT ON ws_token TO ...

CREATE TABLE IF NOT EXISTS ws_token (
    token       VARBINARY(32) NOT NULL PRIMARY KEY,
    player_id   INTEGER(10) UNSIGNED DEFAULT NULL,
    subject_id  VARBINARY(32) NOT NULL,
    is_server   BOOLEAN NOT NULL,
    expires_at  DATETIME(6) NOT NULL,   -- in the time zone of NOW(6)
    INDEX idx_ws_token_server_exp (is_server, expires_at)
);

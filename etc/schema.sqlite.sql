-- The table of tokens, for SQLite:  sqlite3 ws_tokens.db < schema.sqlite.sql
--
-- ws-gatewayd -C makes the same.  The table belongs to the application that
-- issues tokens; the gateway only reads it.
--
-- Why not VARBINARY(32), as on MySQL: SQLite knows no such type and takes it
-- for a number (NUMERIC affinity).  A token that looks like a number would be
-- stored as one, and its bytes be lost: '007' becomes 7, '0e4620...' becomes
-- 0, two tokens of 32 digits may become equal, a subject '0042' becomes 42.
-- A TEXT column keeps text as it is, and blobs, too.

CREATE TABLE IF NOT EXISTS ws_token (
    token       TEXT NOT NULL PRIMARY KEY,  -- up to 32 bytes
    player_id   INTEGER DEFAULT NULL,       -- addresses a player, if it is set
    subject_id  TEXT NOT NULL,              -- else this does; names a server
    is_server   BOOLEAN NOT NULL,           -- 0: a player's, 1: a server's
    expires_at  TEXT NOT NULL               -- UTC: YYYY-MM-DD HH:MM:SS[.ffffff]
);
CREATE INDEX IF NOT EXISTS idx_ws_token_server_exp
    ON ws_token (is_server, expires_at);

-- A row of the table that version 0005 adds.
INSERT INTO coinrequest_sign_in (key, failures, last_at, retry_at, trusted, expires_at)
VALUES ('digest', 3, '2026-03-01Z', '2026-03-02Z', true, '2100-01-01Z');

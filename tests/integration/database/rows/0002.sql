-- Rows of the tables that version 0002 adds, and a job with all of its new columns.
INSERT INTO coinrequest_job (id, job_type, run_id, revision, submitted_by, submitted_at, origin, state, run_after,
    started_at, ended_at, priority, labels, callback, callback_secret, cancelled_by, cancelled_at, cancel_reason)
VALUES ('00000000-0000-0000-0000-000000000003', 'prices', 'whole', 2, 'user', '2026-03-01Z', 'channel', 'cancelled',
    '2026-03-01Z', '2026-03-02Z', '2026-03-03Z', 5, '{"team": "a"}', '{"url": "https://example.org"}', 'sealed', 'op',
    '2026-03-03Z', 'no longer needed');
INSERT INTO coinrequest_submission_key (submitted_by, key, digest, job_id, free_on_failure, expires_at)
VALUES ('user', 'key', 'digest', '00000000-0000-0000-0000-000000000003', true, '2100-01-01Z');
INSERT INTO coinrequest_completion (job_id, state, ended_at)
VALUES ('00000000-0000-0000-0000-000000000003', 'cancelled', '2026-03-03Z');
INSERT INTO coinrequest_notice (id, job_id, kind, destination, secret_connection, secret, body, state, attempts,
    created_at, next_attempt_at, give_up_at, ended_at)
VALUES ('00000000-0000-0000-0000-000000000004', '00000000-0000-0000-0000-000000000003', 'webhook',
    'https://example.org', 'key', 'sealed', '{}', 'failed', 3, '2026-03-03Z', '2026-03-04Z', '2026-03-05Z',
    '2026-03-06Z');
INSERT INTO coinrequest_notice_attempt (notice_id, number, started_at, seconds, status, error, response)
VALUES ('00000000-0000-0000-0000-000000000004', 1, '2026-03-03Z', 0.25, 500, 'HTTP 500', 'sorry');
INSERT INTO coinrequest_gateway (name, started_at, seen_at, channel, detail)
VALUES ('gateway-1', '2026-03-01Z', '2026-03-02Z', 'connected', 'as it was');
INSERT INTO coinrequest_tally (job_type, measure, label, value) VALUES ('prices', 'completed', 'success', 1.5);

-- A gateway with the columns that version 0004 adds.
INSERT INTO coinrequest_gateway (name, started_at, seen_at, channel, waiting, waiting_since)
VALUES ('gateway-2', '2026-03-01Z', '2026-03-02Z', 'connected', 7, '2026-03-02Z');

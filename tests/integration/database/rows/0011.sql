-- A row of the table that version 0011 adds.
INSERT INTO coinrequest_schedule (name, starts_at, resumed_at, waits, last_dropped_at, last_dropped_reason) VALUES
    ('scheduled', '2026-01-01Z', '2026-01-02Z', true, '2026-01-03Z', 'overlap');

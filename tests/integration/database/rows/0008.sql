-- A row with the column that version 0008 adds.
INSERT INTO coinrequest_revision (name, change, document, author, created_at, text) VALUES
    ('written', 'create', '{"name": "written"}', 'op', '2026-01-03Z', 'name: written  # by hand');

-- A run whose times Python cannot read; since version 0007 the database refuses it.
INSERT INTO dag_run (id, dag_id, run_id, run_type, state, run_after, logical_date) VALUES
    (2, 'prices', 'late', 'manual', 'queued', '12000-01-01Z', '12000-01-01Z');

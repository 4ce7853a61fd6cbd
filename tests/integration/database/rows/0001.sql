-- Rows as version 0001 has them. The first job's run is there, the second's is gone.
INSERT INTO dag_bundle (name, active) VALUES ('job_types', true);
INSERT INTO dag (dag_id, is_paused, is_stale, bundle_name, timetable_type, partition_mapper_info, max_active_tasks,
    max_consecutive_failed_dag_runs, has_task_concurrency_limits)
VALUES ('prices', false, false, 'job_types', '', '{}', 16, 0, false);
INSERT INTO slot_pool (pool, slots, include_deferred) VALUES ('default_pool', 512, false), ('own', 128, false);

INSERT INTO coinrequest_revision (name, change, document, author, created_at) VALUES
    ('prices', 'create', '{"name": "prices"}', 'op', '2026-01-01Z'),
    ('other', 'delete', NULL, 'admin', '2026-01-02Z');
INSERT INTO coinrequest_job (id, job_type, run_id, revision, submitted_by, submitted_at) VALUES
    ('00000000-0000-0000-0000-000000000001', 'prices', 'there', 1, 'user', '2026-02-01Z'),
    ('00000000-0000-0000-0000-000000000002', 'prices', 'gone', 1, 'user', '2026-02-02Z');

INSERT INTO dag_run (id, dag_id, run_id, run_type, state, run_after, start_date) VALUES
    (1, 'prices', 'there', 'manual', 'running', '2026-02-01Z', '2026-02-01 00:01Z');

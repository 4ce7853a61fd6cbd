"""Jobs: submit one, follow it, read its result. A job is one DAG run of a job type."""

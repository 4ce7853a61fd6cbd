"""Jobs: submit, follow and control them. A job is one DAG run of a job type."""

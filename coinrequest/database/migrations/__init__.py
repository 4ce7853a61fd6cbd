"""Migrations of the project's own tables, run by `airflow db migrate`."""

"""Airflow: everything that knows its tables and internals (Airflow 3.3.2).

Each module takes and gives plain values. An upgrade of Airflow is a walk through this room, and through `generator/`,
`worker/`, `database/` and `api/authentication.py`.
"""

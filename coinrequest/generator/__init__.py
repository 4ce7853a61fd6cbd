"""The generator: a definition becomes an Airflow DAG.

`dag` builds it, `operator` runs one task of it, `bundle` gives the files that Airflow parses, `loader` is what
those files call, `publishing` writes a DAG into Airflow's tables at once, and `lifecycle` ties a change of a job
type together in one transaction.
"""

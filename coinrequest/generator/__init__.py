"""The generator: turns the definition of a job type into an Airflow DAG.

`dag` builds the DAG. `bundle` provides the files that Airflow parses, and these call `loader`. `publishing` writes a
DAG into Airflow's tables at once, and `lifecycle` makes each change of a job type one transaction.
"""

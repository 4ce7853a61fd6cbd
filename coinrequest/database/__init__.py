"""The project's own tables in Airflow's metadata database, and their migrations.

`tables` describes the tables for queries. What the database does by itself stands in `migrations/versions` alone, and
whole in `schema.sql`. It uses Airflow's tables `dag`, `dag_run` and `backfill` (Airflow 3.3.2):

- Run tracking: triggers on `dag_run` keep each job in step with its run, in the transaction of every change, also those
  that Airflow tells no listener. A failure never holds up Airflow's change; `coinrequest.airflow.run_sweep` repairs it.
- Limits on the params and the times of runs, for what passes by REST and Airflow's own routes: Airflow's command line,
  or SQL.
- Retention: `coinrequest_clean` deletes old jobs with the owner's rights; it is all that the agents' role may call.
- Revisions are append-only, and the row of the installation is locked before each gets its number, so that numbers
  become visible in order.

Every function has a search path of its own and names everything with its schema, so that nobody's temporary tables
divert it.
"""

"""The project's own tables in Airflow's metadata database, and their migrations."""

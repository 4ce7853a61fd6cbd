"""The REST service: `/jobs/v1`, inside Airflow's web server."""

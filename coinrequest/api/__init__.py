"""The REST API `/jobs/v1`, served by Airflow's web server."""

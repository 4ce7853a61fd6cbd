"""How tasks get to the agents: Airflow's executor for Celery, fair between job types."""

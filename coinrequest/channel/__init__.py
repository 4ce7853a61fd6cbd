"""The message channel: jobs come in over a broker, and results go out. It knows kombu, and nothing of Airflow."""

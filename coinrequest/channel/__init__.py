"""The message channel: jobs arrive over a message broker, and results are published on it. It does not need Airflow."""

"""Metrics: counters and a snapshot of the database, for Prometheus and CloudWatch."""

"""Metrics for Prometheus and CloudWatch: counters, and a snapshot of the database."""

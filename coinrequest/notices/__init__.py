"""Notices, which report the end of jobs, and their delivery, at least once."""

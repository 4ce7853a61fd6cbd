"""Notices: what is owed to somebody because a job ended, and its delivery, at least once."""

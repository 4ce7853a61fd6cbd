"""Statements of `sql.query`: parameters, sessions for each type of database, and values as JSON."""

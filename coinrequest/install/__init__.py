"""The set-up of an installation: secrets, database, roles, users and built-in job types."""

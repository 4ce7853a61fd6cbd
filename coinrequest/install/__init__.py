"""What every installation does once: migrate, register the built-in job types, create users, make secrets."""

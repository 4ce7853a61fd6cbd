#!/bin/sh
# Creates the metadata database, its owner, and the role that agents use, which can only read job types. The image of
# PostgreSQL runs this when it creates the data directory. coinrequest/install/database_roles.py does the same in Python.
set -eu
psql -X -v ON_ERROR_STOP=1 -U postgres -d postgres <<'SQL'
\getenv owner COINREQUEST_OWNER_PASSWORD
\getenv reader COINREQUEST_READER_PASSWORD
CREATE ROLE airflow LOGIN PASSWORD :'owner';
CREATE ROLE coinrequest_reader LOGIN PASSWORD :'reader';
CREATE DATABASE airflow OWNER airflow;
SQL
psql -X -v ON_ERROR_STOP=1 -U postgres -d airflow -f /docker-entrypoint-initdb.d/database-rights.psql

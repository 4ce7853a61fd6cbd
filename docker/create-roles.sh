#!/bin/sh
# Run by the PostgreSQL image when it creates its data directory: the metadata database, its owner, and the role under
# which agents read job types and can do nothing else.
set -eu
psql -X -v ON_ERROR_STOP=1 -U postgres -d postgres <<'SQL'
\getenv owner COINREQUEST_OWNER_PASSWORD
\getenv reader COINREQUEST_READER_PASSWORD
CREATE ROLE airflow LOGIN PASSWORD :'owner';
CREATE ROLE coinrequest_reader LOGIN PASSWORD :'reader';
CREATE DATABASE airflow OWNER airflow;
SQL
psql -X -v ON_ERROR_STOP=1 -U postgres -d airflow -f /docker-entrypoint-initdb.d/database-rights.psql

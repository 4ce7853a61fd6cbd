#!/bin/bash
# Brings the database up to date: its roles and their passwords, then tables, job types, users. It can be repeated, and
# several instances may do it at the same time.
# shellcheck source=SCRIPTDIR/common.sh
. /usr/local/lib/coinrequest/common.sh

# Nobody needs the master's and the users' passwords afterwards.
trap 'rm -f "$SECRETS_DIRECTORY"/{create-database-roles,migrate}.env' EXIT

create_database_roles() {
    run_container create-database-roles -- python /app/docker/create_database_roles.py
}

migrate() {
    run_container migrate -- migrate
}

retry create_database_roles
retry migrate

#!/bin/bash
# `secrets.sh NAME...` writes into memory what each process may know: NAME.env, which docker/run-process loads.
#
# coinrequest/install/process_secrets.py has the table of who gets what: an agent, which runs definitions that others
# wrote, gets neither the metadata database nor the key that signs tokens. (Its instance may not even read them.)
# shellcheck source=SCRIPTDIR/common.sh
. /usr/local/lib/coinrequest/common.sh
umask 077

declare -A arns secrets
# shellcheck disable=SC2153 # it comes from instance.env
for pair in $SECRETS; do
    arns[${pair%%=*}]=${pair#*=}
done

read_secret() {
    secrets[$1]=$(aws secretsmanager get-secret-value --secret-id "${arns[$1]}" --query SecretString --output text)
}

# Read those secrets that have not been read yet.
need() {
    local name
    for name in "$@"; do
        [[ -v secrets[$name] ]] || retry read_secret "$name"
    done
}

# Values are letters and digits, or base64; those of JSON are quoted by jq.
export_line() {
    printf "export %s='%s'\n" "$1" "$2"
}

variables_of() {
    local database="$DATABASE_HOST:5432/airflow?sslmode=verify-full&sslrootcert=$DATABASE_CA"
    local redis="$REDIS_HOST:6379" verified="ssl_cert_reqs=required"
    if [[ $1 == create-database-roles ]]; then
        need master database-owner database-reader
        jq -r '"export PGUSER=\(.username | @sh) PGPASSWORD=\(.password | @sh)"' <<<"${secrets[master]}"
        export_line PGHOST "$DATABASE_HOST"
        export_line PGSSLMODE verify-full
        export_line PGSSLROOTCERT "$DATABASE_CA"
        export_line COINREQUEST_OWNER_PASSWORD "${secrets[database-owner]}"
        export_line COINREQUEST_READER_PASSWORD "${secrets[database-reader]}"
        return
    fi
    need database-reader
    export_line COINREQUEST_REGISTRY_URL "postgresql://coinrequest_reader:${secrets[database-reader]}@$database"
    case $1 in
        api-server | scheduler | dag-processor | triggerer | gateway | migrate)
            need database-owner fernet-key
            export_line AIRFLOW__DATABASE__SQL_ALCHEMY_CONN "postgresql://airflow:${secrets[database-owner]}@$database"
            # Airflow would choose asyncpg, which does not know sslmode.
            export_line AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC \
                "postgresql+psycopg_async://airflow:${secrets[database-owner]}@$database"
            export_line AIRFLOW__CORE__FERNET_KEY "${secrets[fernet-key]}"
            ;;
    esac
    case $1 in
        api-server | scheduler | agent)
            need redis
            export_line AIRFLOW__CELERY__BROKER_URL "rediss://:${secrets[redis]}@$redis/0?$verified"
            ;;
    esac
    case $1 in
        scheduler | agent)
            export_line AIRFLOW__CELERY__RESULT_BACKEND "rediss://:${secrets[redis]}@$redis/1?$verified"
            ;;
    esac
    case $1 in
        api-server | scheduler)
            need jwt-secret
            export_line AIRFLOW__API_AUTH__JWT_SECRET "${secrets[jwt-secret]}"
            ;;
    esac
    case $1 in
        agent)
            # An installation that sends mails has one more secret.
            if [[ -v arns[smtp-url] ]]; then
                need smtp-url
                export_line COINREQUEST_SMTP_URL "${secrets[smtp-url]}"
            fi
            ;;
        api-server)
            need api-secret-key
            export_line AIRFLOW__API__SECRET_KEY "${secrets[api-secret-key]}"
            ;;
        gateway)
            need redis
            export_line COINREQUEST_STACK_CHANNEL_URL "rediss://:${secrets[redis]}@$redis/2?$verified"
            ;;
        migrate)
            need people
            jq -r 'to_entries[] | "export COINREQUEST_STACK_PASSWORD_\(.key | ascii_upcase)=\(.value | @sh)"' \
                <<<"${secrets[people]}"
            ;;
    esac
}

# A file appears whole or not at all.
write_secrets() {
    local new="$SECRETS_DIRECTORY/.$1.new"
    variables_of "$1" >"$new"
    chown 50000:50000 "$new"
    chmod 0400 "$new"
    mv "$new" "$SECRETS_DIRECTORY/$1.env"
}

fetch_database_ca() {
    local new="$SECRETS_DIRECTORY/.database-ca.new"
    curl --fail --silent --show-error --max-time 30 --output "$new" "$DATABASE_CA_URL" &&
        chmod 0444 "$new" && mv "$new" "$SECRETS_DIRECTORY/database-ca.pem"
}

install -d -m 0700 "$SECRETS_DIRECTORY"
[[ -e $SECRETS_DIRECTORY/database-ca.pem ]] || retry fetch_database_ca
for name in "$@"; do
    write_secrets "$name"
done

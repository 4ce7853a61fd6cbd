# shellcheck shell=bash
# What the scripts share. Their variables come from /etc/coinrequest/instance.env, by their systemd units.
set -euo pipefail

# The values of EC2. A machine that is none, as in a test, has others in /etc/coinrequest/local.env.
: "${METADATA:=http://169.254.169.254}"
: "${SECRETS_DIRECTORY:=/run/coinrequest}" # in memory; where the engine runs elsewhere: a folder that both see
: "${CONTAINER_NETWORK:=host}"             # as it is no hop, the metadata service answers with a hop limit of 1
: "${CONTAINER_PREFIX:=coinrequest}"       # machines that share one engine need names of their own
: "${LOG_DRIVER:=awslogs}"
: "${DATABASE_CA_URL:=https://truststore.pki.rds.amazonaws.com/$AWS_DEFAULT_REGION/$AWS_DEFAULT_REGION-bundle.pem}"

# Where a container finds the certificates that sign the database's, and its own secrets.
readonly DATABASE_CA=/run/coinrequest/database-ca.pem
readonly CONTAINER_SECRETS=/run/coinrequest/secrets.env

# Repeat a command until it succeeds, with growing pauses. It has no end: coinrequest-lifecycle has the deadline.
retry() {
    local pause=1
    until "$@"; do
        echo "$1 failed, again in $pause s" >&2
        sleep "$pause"
        pause=$((pause < 30 ? pause * 2 : 60))
    done
}

# The container of one process, or of one piece of work before it: `run_container NAME OPTIONS... -- COMMAND...`
run_container() {
    local name=$1 options=() available
    shift
    while [[ $1 != -- ]]; do
        options+=("$1")
        shift
    done
    shift
    if [[ $LOG_DRIVER == awslogs ]]; then
        # Rather lose a line than wait for CloudWatch.
        options+=(--log-opt "awslogs-region=$AWS_DEFAULT_REGION" --log-opt "awslogs-group=$LOG_GROUP"
            --log-opt "awslogs-stream=$(hostname)/$name" --log-opt mode=non-blocking --log-opt max-buffer-size=4m)
    fi
    # All that the machine has but what the system needs; the rest goes to the swap file.
    available=$(awk '/^MemTotal:/ { print $2 - 160 * 1024 }' /proc/meminfo)
    docker run --rm --name "$CONTAINER_PREFIX-$name" --network "$CONTAINER_NETWORK" --init --read-only --cap-drop ALL \
        --security-opt no-new-privileges --pids-limit 1024 --memory "${available}k" --memory-swap -1 \
        --tmpfs /tmp:size=64m,mode=1777 --tmpfs /var/lib/coinrequest:size=256m,uid=50000,gid=50000,mode=0700 \
        --volume "$CONTAINER_PREFIX-logs:/var/lib/coinrequest/logs" \
        --volume "$SECRETS_DIRECTORY/$name.env:$CONTAINER_SECRETS:ro" \
        --volume "$SECRETS_DIRECTORY/database-ca.pem:$DATABASE_CA:ro" \
        --env-file /etc/coinrequest/settings.env --env "COINREQUEST_SECRETS_FILE=$CONTAINER_SECRETS" \
        --log-driver "$LOG_DRIVER" "${options[@]}" "$IMAGE" "$@"
}

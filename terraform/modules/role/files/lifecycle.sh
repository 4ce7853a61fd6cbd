#!/bin/bash
# Tells the auto scaling group how this instance is: into service when its processes are healthy, out of it when their
# work is done, and to be replaced when they stay ill.
#
# While all is well it asks the instance's own metadata only: an AWS CLI command costs a t2.micro a second of CPU.
# shellcheck source=SCRIPTDIR/common.sh
. /usr/local/lib/coinrequest/common.sh
# The first start takes two to five minutes. The group waits for 900 s, and counts from before the boot.
: "${POLL_SECONDS:=10}" "${CHECK_SECONDS:=30}" "${HEARTBEAT_SECONDS:=60}" "${LAUNCH_SECONDS:=720}"
readonly FAILURES=5
# A reboot is no launch.
readonly LAUNCHED=/var/lib/coinrequest-launched

# shellcheck disable=SC2153 # it comes from instance.env
read -ra processes <<<"$PROCESSES"
token=""

new_token() {
    token=$(curl --silent --fail --max-time 5 --request PUT --header "X-aws-ec2-metadata-token-ttl-seconds: 21600" \
        "$METADATA/latest/api/token")
}

metadata() {
    curl --silent --fail --max-time 5 --header "X-aws-ec2-metadata-token: $token" "$METADATA/latest/meta-data/$1"
}

# Where the group wants this instance: InService, Terminated, ... Nothing without a group.
target_state() {
    metadata autoscaling/target-lifecycle-state || true
}

healthy() {
    local process
    for process in "${processes[@]}"; do
        systemctl --quiet is-active "coinrequest@$process" || return 1
        timeout 70 docker exec "$CONTAINER_PREFIX-$process" run-process health "$process" || return 1
    done
}

# A few attempts: an action that is over cannot be completed, and is no reason to stay.
autoscaling() {
    local attempt
    for attempt in 1 2 3 4 5; do
        aws autoscaling "$@" && return
        sleep $((attempt * 2))
    done
    echo "gave up: $1" >&2
}

complete() {
    echo "$1: $2"
    autoscaling complete-lifecycle-action --auto-scaling-group-name "$GROUP" --instance-id "$instance" \
        --lifecycle-hook-name "$1" --lifecycle-action-result "$2"
}

drain() {
    local units=("${processes[@]/#/coinrequest@}") next=$SECONDS
    echo "draining for at most $DRAIN_SECONDS s"
    systemctl stop --no-block "${units[@]}"
    while grep --quiet --extended-regexp '^(active|deactivating)$' <<<"$(systemctl is-active "${units[@]}")"; do
        if ((SECONDS >= next)); then
            autoscaling record-lifecycle-action-heartbeat --auto-scaling-group-name "$GROUP" \
                --instance-id "$instance" --lifecycle-hook-name "$TERMINATE_HOOK"
            next=$((SECONDS + HEARTBEAT_SECONDS))
        fi
        sleep 2
    done
    complete "$TERMINATE_HOOK" CONTINUE
}

check() {
    if healthy; then
        failures=0 ready=yes
        [[ -e $LAUNCHED ]] || { complete "$LAUNCH_HOOK" CONTINUE && touch "$LAUNCHED"; }
    elif [[ ! -e $LAUNCHED ]]; then
        if ((SECONDS > LAUNCH_SECONDS)); then
            complete "$LAUNCH_HOOK" ABANDON
            touch "$LAUNCHED"
        fi
    # After a reboot the processes have the time of a launch.
    elif [[ $ready || $SECONDS -gt $LAUNCH_SECONDS ]] && ((++failures == FAILURES)); then
        failures=0
        autoscaling set-instance-health --instance-id "$instance" --health-status Unhealthy \
            --no-should-respect-grace-period
    fi
}

retry new_token
instance=$(metadata instance-id)
failures=0 next_check=0 ready=""
while state=$(target_state) && [[ $state != Terminated ]]; do
    if ((SECONDS >= next_check)) || [[ ! -e $LAUNCHED ]]; then
        check
        next_check=$((SECONDS + CHECK_SECONDS))
    fi
    # The token lives for six hours; an old one gets no answer.
    [[ $state ]] || new_token || true
    sleep "$POLL_SECONDS"
done
drain

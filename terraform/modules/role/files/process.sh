#!/bin/bash
# `process.sh start|stop PROCESS`: one process in its container.
# shellcheck source=SCRIPTDIR/common.sh
. /usr/local/lib/coinrequest/common.sh
container=$CONTAINER_PREFIX-$2

case $1 in
    start)
        docker rm --force "$container" >/dev/null 2>&1 || true # left by a crash of the machine
        run_container "$2" --detach -- "$2" >/dev/null
        # Ends with the container and writes its exit code; what the process itself writes goes to CloudWatch alone.
        exec docker wait "$container"
        ;;
    stop)
        # SIGTERM; SIGKILL when the time is over.
        docker stop -t "$DRAIN_SECONDS" "$container" >/dev/null 2>&1 || true # it has ended by itself
        ;;
esac

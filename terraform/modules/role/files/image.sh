#!/bin/bash
# Brings the image, once: a tag of the registry never changes, so that a reboot needs no registry.
# shellcheck source=SCRIPTDIR/common.sh
. /usr/local/lib/coinrequest/common.sh

docker image inspect "$IMAGE" >/dev/null 2>&1 || retry docker pull --quiet "$IMAGE"

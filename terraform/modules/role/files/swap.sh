#!/bin/bash
# Makes the swap file at the first boot and uses it. SWAP: its size, such as 2G; empty: there is none.
set -euo pipefail
[[ $SWAP ]] || exit 0
if [[ ! -e /swapfile ]]; then
    fallocate --length "$SWAP" /swapfile.new
    chmod 0600 /swapfile.new
    mkswap /swapfile.new
    mv /swapfile.new /swapfile
fi
swapon /swapfile

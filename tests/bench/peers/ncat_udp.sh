#!/bin/bash
# ncat_udp.sh ADDRESS PORT
# UDP echo with ncat: a forked cat for each client. The first process only receives, so the CPU time
# of its children must be counted too.
set -euo pipefail
address=${1:?usage: ncat_udp.sh ADDRESS PORT}
port=${2:?usage: ncat_udp.sh ADDRESS PORT}
command -v ncat >/dev/null || {
  echo "ncat_udp.sh: ncat is not installed" >&2
  exit 77
}
exec ncat --udp --listen --keep-open --exec /bin/cat "$address" "$port"

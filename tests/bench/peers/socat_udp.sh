#!/bin/bash
# socat_udp.sh ADDRESS PORT
# UDP echo with socat: a forked process for each datagram, which passes it through a pipe and back.
# The first process only receives, so the CPU time of its children must be counted too.
set -euo pipefail
address=${1:?usage: socat_udp.sh ADDRESS PORT}
port=${2:?usage: socat_udp.sh ADDRESS PORT}
command -v socat >/dev/null || {
  echo "socat_udp.sh: socat is not installed" >&2
  exit 77
}
exec socat "UDP4-RECVFROM:$port,bind=$address,fork,rcvbuf=1048576" PIPE

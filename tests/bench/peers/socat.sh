#!/bin/bash
# socat.sh PORT|PATH
# Echo with socat: a forked process for each connection, which copies from the socket into a pipe and
# from the pipe back, 8 KiB at a time, with select or poll. The first process only accepts, so the CPU
# time of its children must be counted too.
# Limits: half a second after the client's FIN (-t) it drops the bytes that are not sent. If the client
# reads late, it may block for ever in a write to the pipe, which only the same process could empty.
set -euo pipefail
where=${1:?usage: socat.sh PORT|PATH}
command -v socat >/dev/null || {
  echo "socat.sh: socat is not installed" >&2
  exit 77
}
ulimit -Sn "$(ulimit -Hn)"
case $where in
  /*) listen="UNIX-LISTEN:$where,fork,backlog=1024" ;;
  *) listen="TCP-LISTEN:$where,bind=127.0.0.1,fork,reuseaddr,backlog=1024,nodelay" ;;
esac
exec socat "$listen" PIPE

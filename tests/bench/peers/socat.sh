#!/bin/bash
# socat.sh PORT
# socat's echo: a forked process for each connection, which copies from the socket into a pipe and
# from the pipe back, 8 KiB at a time, with select or poll. The process that this starts only
# accepts: count its children too.
# Limits: half a second after the client's FIN (-t) it drops what has not been sent. When the client
# reads late it may block for ever in a write to the pipe, which only itself could empty.
set -euo pipefail
port=${1:?usage: socat.sh PORT}
command -v socat >/dev/null || {
  echo "socat.sh: socat is not installed" >&2
  exit 77
}
ulimit -Sn "$(ulimit -Hn)"
exec socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr,backlog=1024,nodelay" PIPE

#!/bin/bash
# xinetd.sh PORT [DIRECTORY]
# The echo service that is built into xinetd: a forked process for each connection, blocking read and
# write. Its limits (instances, cps) are lifted, and TCP_NODELAY is on. The first process only accepts,
# so the CPU time of its children must be counted too. The configuration and the log are in DIRECTORY,
# by default a new one.
# Limits: its backlog is 64; of a burst of 1000 connections some get no answer (measured).
set -euo pipefail
port=${1:?usage: xinetd.sh PORT [DIRECTORY]}
xinetd=$(command -v xinetd || echo /usr/sbin/xinetd)
[[ -x $xinetd ]] || {
  echo "xinetd.sh: xinetd is not installed" >&2
  exit 77
}
directory=$(realpath "${2:-$(mktemp -d)}")
cat >"$directory/xinetd.conf" <<EOF
defaults
{
}
service echo
{
  type = INTERNAL UNLISTED
  id = echo-stream
  socket_type = stream
  protocol = tcp
  port = $port
  bind = 127.0.0.1
  user = $(id -un)
  wait = no
  flags = NODELAY
  instances = UNLIMITED
  per_source = UNLIMITED
  cps = 1000000 1
}
EOF
ulimit -Sn "$(ulimit -Hn)"
exec "$xinetd" -dontfork -f "$directory/xinetd.conf" -filelog "$directory/xinetd.log" \
  -pidfile "$directory/xinetd.pid"

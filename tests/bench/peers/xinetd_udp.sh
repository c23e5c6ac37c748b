#!/bin/bash
# xinetd_udp.sh ADDRESS PORT [DIRECTORY]
# The UDP echo service that is built into xinetd. Its limit of services per second (cps) is lifted.
# The configuration and the log are in DIRECTORY, by default a new one.
# Limits: it cuts datagrams at 2048 bytes, and answers one of those that arrive together.
set -euo pipefail
address=${1:?usage: xinetd_udp.sh ADDRESS PORT}
port=${2:?usage: xinetd_udp.sh ADDRESS PORT}
xinetd=$(command -v xinetd || echo /usr/sbin/xinetd)
[[ -x $xinetd ]] || {
  echo "xinetd_udp.sh: xinetd is not installed" >&2
  exit 77
}
directory=$(realpath "${3:-$(mktemp -d)}")
cat >"$directory/xinetd-udp.conf" <<END
defaults
{
}
service echo
{
  type = INTERNAL UNLISTED
  id = echo-dgram
  socket_type = dgram
  protocol = udp
  port = $port
  bind = $address
  user = $(id -un)
  wait = yes
  instances = UNLIMITED
  per_source = UNLIMITED
  cps = 1000000 1
}
END
exec "$xinetd" -dontfork -f "$directory/xinetd-udp.conf" -filelog "$directory/xinetd-udp.log" \
  -pidfile "$directory/xinetd-udp.pid"

#!/bin/sh
# measure.sh
# Opens CONNECTIONS to one echod, echoes one message on each, leaves them idle, and prints raw
# figures of the kernel as lines, which measurement.py reads:
#
#   progress SECONDS CONNECTIONS   the progress
#   sample NAME SOURCE LINE        a line of a file below /proc at the moment NAME
#   result LINE                    a line of echoload's JSON
#   problem LINE                   a line about an error
#   end ECHOLOAD ECHOD             the exit codes
#
# Runs in the virtual machine or outside, in any POSIX shell. The parameters are in the environment:
# ECHOD and ECHOLOAD (commands), CONFIG (a file), WORK (a directory), PORT, CONNECTIONS, RATE
# (messages a second), IDLE_S, SETTLE_S (pause between phases), TIMEOUT_S, TICK_S (interval of
# checks), SOURCES (addresses).
set -u

seconds() { cut -d ' ' -f 1 /proc/uptime; }

# lines_of NAME SOURCE: prints the lines of the standard input as lines of a sample.
lines_of() { sed "s|^|sample $1 $2 |"; }

sample() {
  for file in uptime meminfo vmstat slabinfo net/sockstat net/sockstat6 net/snmp sys/fs/file-nr; do
    cat "/proc/$file" 2>/dev/null | lines_of "$1" "$file"
  done
  for name in echod echoload; do
    case $name in echod) process=$echod ;; *) process=$echoload ;; esac
    [ -d "/proc/$process" ] || continue
    cat "/proc/$process/smaps_rollup" 2>/dev/null | lines_of "$1" "$name/smaps_rollup"
    cat "/proc/$process/stat" 2>/dev/null | lines_of "$1" "$name/stat"
    cat "/proc/$process/task/"*/schedstat 2>/dev/null | lines_of "$1" "$name/schedstat"
  done
}

is_running() { kill -0 "$1" 2>/dev/null; }

# Asks echod for its counters, and prints the number of connections from its log.
connections() {
  kill -USR2 "$echod" 2>/dev/null
  sed -n 's/.* connections=\([0-9]*\) .*/\1/p' "$WORK/echod.log" | tail -n 1
}

show_progress() { echo "progress $(seconds) $(connections)"; }

# pass SECONDS: waits, or until echoload ends.
pass() {
  until_s=$(($(date +%s) + $1))
  while [ "$(date +%s)" -lt "$until_s" ] && is_running "$echoload"; do
    sleep "$TICK_S"
  done
}

echoload=0
active_s=$((CONNECTIONS / RATE + 1 + SETTLE_S))
# shellcheck disable=SC2086 # ECHOD may be several words: taskset and options.
$ECHOD --config "$CONFIG" --port "$PORT" 2>"$WORK/echod.log" &
echod=$!
trap 'kill $echod $echoload 2>/dev/null' INT TERM
until grep -q ' started: ' "$WORK/echod.log"; do
  is_running $echod || { sed 's/^/problem /' "$WORK/echod.log"; echo "end 0 1"; exit 1; }
  sleep 0.1
done
sample start

sources=
for source in $SOURCES; do
  sources="$sources --source $source"
done
# shellcheck disable=SC2086 # ECHOLOAD and sources may be several words.
$ECHOLOAD --connections "$CONNECTIONS" $sources --timeout "$TIMEOUT_S" --warmup 0 \
  --rate "$RATE" --messages "$CONNECTIONS" --duration $((active_s + IDLE_S + SETTLE_S)) \
  --server-pid $echod --json "$WORK/echoload.json" "127.0.0.1:$PORT" \
  >"$WORK/echoload.log" 2>&1 &
echoload=$!

while is_running $echoload; do
  now=$(connections)
  [ "${now:-0}" -lt "$CONNECTIONS" ] || break
  echo "progress $(seconds) ${now:-0}"
  sleep "$TICK_S"
done
show_progress
sample connected
pass $active_s
sample idle-begin
pass "$IDLE_S"
sample idle-end
while is_running $echoload; do
  show_progress
  sleep "$TICK_S"
done
wait $echoload
echoload_code=$?
sample closed

kill -TERM $echod 2>/dev/null
wait $echod
echod_code=$?
sed 's/^/result /' "$WORK/echoload.json" 2>/dev/null
[ $echoload_code -eq 0 ] || sed 's/^/problem /' "$WORK/echoload.log"
grep -E ' (WARNING|ERROR|CRITICAL) ' "$WORK/echod.log" | sed 's/^/problem /'
echo "end $echoload_code $echod_code"

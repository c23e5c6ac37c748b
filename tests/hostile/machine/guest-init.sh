#!/bin/busybox sh
# guest-init.sh
# The first process of the virtual machine: goes through the scenarios and prints what came of them,
# as lines for machine.py, which judges:
#
#   begin SCENARIO             the lines that follow are of it
#   fact NAME VALUE            VALUE: the rest of the line
#   host REQUEST               the host is to do that, and to answer with a line
. /begin

cd /tmp || exit
port=2003
log=network-server.log

fact() { echo "fact $*"; }
uptime_s() { cut -d ' ' -f 1 /proc/uptime; }
whole_uptime_s() { cut -d . -f 1 /proc/uptime; }

# Polls: there is no event for lines in files. Patience has an end.
until_so() {
  local deadline_s=$(($(whole_uptime_s) + 90))
  until "$@"; do
    usleep 20000
    [ "$(whole_uptime_s)" -lt $deadline_s ] || give_up "$@"
  done
}

give_up() {
  fact complaint "in vain: waited for $*"
  sed 's/^/fact said_echod /' $log
  for task in /proc/$echod/task/*; do
    fact task "$(cat "$task/comm" "$task/syscall" "$task/status" | tr '\n' ' ')"
  done
  poweroff -f
}

# start_echod IDLE_S
start_echod() {
  rm -f $log
  printf '[timeouts]\nidle_s = %s\n' "$1" >echod.toml
  echod --config echod.toml --port $port 2>/dev/null &
  echod=$!
  until_so grep -qs ' started: ' $log
}

lines_of_counters() { grep -c ' counters: ' $log; }

has_answered() { [ "$(lines_of_counters)" -gt "$seen" ]; }

# Asks echod and prints its answer, a line of the log.
counters() {
  seen=$(lines_of_counters)
  kill -USR2 $echod
  until_so has_answered
  grep ' counters: ' $log | tail -n 1
}

counter() { counters | sed "s/.* $1=\([0-9]*\).*/\1/"; }

is_counter() { [ "$(counter "$1")" = "$2" ]; }

# CPU time of echod so far, in nanoseconds.
cpu_ns() { cat /proc/$echod/task/*/schedstat | awk '{ total += $1 } END { printf "%.0f", total }'; }

stop_echod() {
  kill -TERM $echod
  wait $echod
  fact echod_status $?
  fact counters "$(counters_at_end)"
  grep -E ' - (WARNING|ERROR|CRITICAL) - ' $log | sed 's/^/fact complaint /'
}

counters_at_end() { grep ' counters: ' $log | tail -n 1 | sed 's/.* counters: //'; }

# kernel NAME: the kernel's counts of TCP, as facts of that name.
kernel() { grep -hE '^(Tcp|TcpExt):' /proc/net/snmp /proc/net/netstat | sed "s/^/fact $1 /"; }

# load NAME OPTION...: echoload in the foreground.
load() {
  name=$1
  shift
  echoload "$@" --timeout 60s --json /tmp/load.json 127.0.0.1:$port >load.out 2>&1
  fact status_of_"$name" $?
  tr -d '\n' </tmp/load.json | sed "s/^/fact load_$name /"
  echo
  sed "s/^/fact said_$name /" load.out
}

# network SCENARIO NETEM...: what tc-netem(8) does to loopback, both ways.
network() {
  echo "begin $1"
  shift
  start_echod 3600
  /bin/tc qdisc replace dev lo root netem limit 100000 "$@"
  kernel before
  load messages --connections 20 --size 1-8k --depth 2 --duration "$LOAD_S" --warmup 0
  load stream --mode stream --connections 6 --duration "$LOAD_S" --warmup 0
  load half_close --mode connect --connections 10 --size 1-64k --duration "$LOAD_S" --warmup 0
  kernel after
  /bin/tc -s qdisc show dev lo | sed 's/^ */fact qdisc /'
  /bin/tc qdisc del dev lo root
  stop_echod
}

# rest NAME: a second in which hardly anything happens.
rest() {
  cpu=$(cpu_ns)
  since=$(uptime_s)
  sleep 1
  fact rest "$1 $(($(cpu_ns) - cpu)) $since $(uptime_s) $(counters)"
}

# talk RATE: 20 connections, so many messages in a second.
talk() {
  echoload --connections 20 --rate "$1" --duration 1000s --warmup 0 --timeout 60s 127.0.0.1:$port >talk.out 2>&1 &
  talkers=$!
}

# 30 connections, with one message each, and then nothing more.
be_idle() {
  echoload --connections 30 --rate 1000 --messages 30 --duration 1000s --warmup 0 127.0.0.1:$port >idle.out 2>&1 &
  idlers=$!
  until_so is_counter connections 50
}

stop_talking() {
  kill -INT $talkers
  wait $talkers
  fact status_of_talkers $?
  sed 's/^/fact said_talkers /' talk.out
}

stop_idling() {
  kill -INT $idlers
  wait $idlers
}

# Clocks jump while connections are idle and others talk: no timeout comes early, and none is forgotten.
clock() {
  echo "begin clock_jumps"
  start_echod 25
  talk 4
  be_idle
  fact idle_since "$(uptime_s)"
  now=$(date +%s)
  for second in $((now + 86400)) $((now - 86400)) 86400 4102444800 "$now"; do
    date -s "@$second" >/dev/null
    rest "$second"
  done
  until_so is_counter closed_idle_timeout 30
  fact idle_until "$(uptime_s)"
  stop_idling
  stop_talking
  stop_echod
}

# pause SCENARIO REQUEST: the host stops the whole machine for a while.
pause() {
  echo "begin $1"
  start_echod 3600
  talk 100
  be_idle
  fact paused "$(uptime_s) $(counter echoes)"
  echo "host $2"
  read -r _ </dev/ttyS1
  fact resumed "$(uptime_s) $(counter echoes)"
  stop_talking
  rest after
  stop_idling
  stop_echod
}

. /parameters
insmod /sch_netem.ko || echo "fact complaint no netem"
for scenario in $SCENARIOS; do
  case $scenario in
    delay) network delay delay 20ms 10ms reorder 25% 50% ;;
    loss) network loss delay 2ms 1ms loss 2% ;;
    duplicates) network duplicates delay 2ms 1ms duplicate 20% ;;
    corruption) network corruption delay 2ms 1ms corrupt 0.5% ;;
    all) network all delay 20ms 10ms reorder 25% 50% loss 2% duplicate 1% corrupt 0.1% ;;
    clock_jumps) clock ;;
    frozen) pause frozen freeze ;;
    suspended) pause suspended suspend ;;
  esac
done
echo end
poweroff -f

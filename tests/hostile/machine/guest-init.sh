#!/bin/busybox sh
# guest-init.sh
# The first process of the virtual machine. It runs the scenarios and prints what happened, as lines
# that guest_scenarios.py reads and judges:
#
#   begin SCENARIO             the following lines belong to this scenario
#   fact NAME VALUE            VALUE is the rest of the line
#   host REQUEST               the host must do this, and answer with a line
. /begin

cd /tmp || exit
port=2003
log=network-server.log

fact() { echo "fact $*"; }
uptime_s() { cut -d ' ' -f 1 /proc/uptime; }
whole_uptime_s() { cut -d . -f 1 /proc/uptime; }

# until_so COMMAND...: runs the command until it succeeds. Gives up after 90 s.
until_so() {
  local deadline_s=$(($(whole_uptime_s) + 90))
  until "$@"; do
    usleep 20000
    [ "$(whole_uptime_s)" -lt $deadline_s ] || give_up "$@"
  done
}

give_up() {
  fact complaint "timed out waiting for $*"
  sed 's/^/fact said_echod /' $log
  for task in /proc/$echod/task/*; do
    fact task "$(cat "$task/comm" "$task/syscall" "$task/status" | tr '\n' ' ')"
  done
  poweroff -f
}

# start_echod IDLE_S: starts echod with this idle_s, and waits until it serves.
start_echod() {
  rm -f $log
  printf '[timeouts]\nidle_s = %s\n' "$1" >echod.toml
  echod --config echod.toml --port $port 2>/dev/null &
  echod=$!
  until_so grep -qs ' started: ' $log
}

lines_of_counters() { grep -c ' counters: ' $log; }

has_answered() { [ "$(lines_of_counters)" -gt "$seen" ]; }

# Asks echod for its counters and prints its answer, a line of the log.
counters() {
  seen=$(lines_of_counters)
  kill -USR2 $echod
  until_so has_answered
  grep ' counters: ' $log | tail -n 1
}

counter() { counters | sed "s/.* $1=\([0-9]*\).*/\1/"; }

is_counter() { [ "$(counter "$1")" = "$2" ]; }

# Prints the CPU time of echod so far, in nanoseconds.
cpu_ns() { cat /proc/$echod/task/*/schedstat | awk '{ total += $1 } END { printf "%.0f", total }'; }

stop_echod() {
  kill -TERM $echod
  wait $echod
  fact echod_status $?
  fact counters "$(counters_at_end)"
  grep -E ' - (WARNING|ERROR|CRITICAL) - ' $log | sed 's/^/fact complaint /'
}

counters_at_end() { grep ' counters: ' $log | tail -n 1 | sed 's/.* counters: //'; }

# kernel NAME: prints the kernel's TCP counters as facts of that name.
kernel() { grep -hE '^(Tcp|TcpExt):' /proc/net/snmp /proc/net/netstat | sed "s/^/fact $1 /"; }

# load NAME OPTION...: runs echoload to its end, and prints its result as facts.
load() {
  name=$1
  shift
  echoload "$@" --timeout 60s --json /tmp/load.json 127.0.0.1:$port >load.out 2>&1
  fact status_of_"$name" $?
  tr -d '\n' </tmp/load.json | sed "s/^/fact load_$name /"
  echo
  sed "s/^/fact said_$name /" load.out
}

# network SCENARIO NETEM...: runs loads while tc-netem(8) disturbs loopback, in both directions.
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

# rest NAME: measures CPU time for a second with little traffic.
rest() {
  cpu=$(cpu_ns)
  since=$(uptime_s)
  sleep 1
  fact rest "$1 $(($(cpu_ns) - cpu)) $since $(uptime_s) $(counters)"
}

# talk RATE: starts 20 connections that send RATE messages a second.
talk() {
  echoload --connections 20 --rate "$1" --duration 1000s --warmup 0 --timeout 60s 127.0.0.1:$port >talk.out 2>&1 &
  talkers=$!
}

# Starts 30 connections that send one message each and are then idle.
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

# The system clock jumps while some connections are idle and others send. No timeout may come early, or not at all.
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

# pause SCENARIO REQUEST: has the host stop the whole machine for a while.
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

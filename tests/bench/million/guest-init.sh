#!/bin/busybox sh
# The first process of the virtual machine. It raises limits for very many sockets, measures, and
# powers the machine off.
. /begin
. /parameters
set_limit() { echo "$2" >"/proc/sys/$1" || echo "problem cannot set $1"; }
set_limit fs/nr_open $((CONNECTIONS + 1048576))
set_limit fs/file-max $((4 * CONNECTIONS + 1048576))
# In pages. The kernel's default is too low for so many sockets.
set_limit net/ipv4/tcp_mem "$((2 * CONNECTIONS)) $((3 * CONNECTIONS)) $((4 * CONNECTIONS))"
set_limit net/ipv4/ip_local_port_range "$PORTS"
set_limit net/core/somaxconn 65535
set_limit net/ipv4/tcp_max_syn_backlog 65535
# The queue of each CPU for packets of loopback; packets that do not fit are dropped.
set_limit net/core/netdev_max_backlog 1000000
ulimit -n $((CONNECTIONS + 65536)) || echo "problem cannot raise ulimit -n"
echo "kernel $(uname -r)"
sh /measure.sh
poweroff -f

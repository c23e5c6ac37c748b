#!/bin/busybox sh
# The first process of the virtual machine: makes room for very many sockets, measures, ends it.
. /begin
. /parameters
set_limit() { echo "$2" >"/proc/sys/$1" || echo "problem cannot set $1"; }
set_limit fs/nr_open $((CONNECTIONS + 1048576))
set_limit fs/file-max $((4 * CONNECTIONS + 1048576))
# Pages. What the kernel chooses by itself is for far fewer sockets than fit into the memory.
set_limit net/ipv4/tcp_mem "$((2 * CONNECTIONS)) $((3 * CONNECTIONS)) $((4 * CONNECTIONS))"
set_limit net/ipv4/ip_local_port_range "$PORTS"
set_limit net/core/somaxconn 65535
set_limit net/ipv4/tcp_max_syn_backlog 65535
# The queue of each CPU that loopback puts its packets into: what does not fit is lost.
set_limit net/core/netdev_max_backlog 1000000
ulimit -n $((CONNECTIONS + 65536)) || echo "problem cannot raise ulimit -n"
echo "kernel $(uname -r)"
sh /measure.sh
poweroff -f

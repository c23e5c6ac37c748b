# Sourced by /init of a virtual machine (virtual_machine.py). The kernel's messages go to the first
# serial line, the output of /init to the second.
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount -t tmpfs tmpfs /tmp
stty -F /dev/ttyS1 -opost -echo
exec </dev/null >/dev/ttyS1 2>&1
ifconfig lo 127.0.0.1 netmask 255.0.0.0 up

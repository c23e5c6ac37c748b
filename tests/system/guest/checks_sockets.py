"""Socket activation."""

import grp
import os

from guest_commands import (Journal, Log, as_installed, backlog, capabilities, configure, drop_in, expect, exposure,
                            main_pid, run, show, systemctl, use_example, wait_until)
from peers import Load, connect, datagram_peer, echo, echo_datagram, is_refused, ping


def listen_on(port):
    drop_in(f"[Socket]\nListenStream=\nListenStream={port}\n", unit="echod.socket")


def first_connection_starts_it():
    """with echod.socket enabled the port is open before echod runs, and the first connection starts it"""
    as_installed()
    configure(backlog=99)
    systemctl("enable", "--now", "echod.socket")
    expect(show("ActiveState") == "inactive", "echod runs already")
    echo()
    # The echo may come before systemd has read READY=1.
    wait_until(lambda: show("ActiveState") == "active", "echod.service is active")
    expect(backlog(2003) == 99, f"the backlog is {backlog(2003)}, not the configured one")
    echo(host="::1")


def mismatch_is_named():
    """with a configuration that does not match the socket unit the start fails and says why"""
    as_installed()
    configure(port=2004)
    systemctl("start", "echod.socket")
    journal = Journal()
    expect(systemctl("start", "echod.service", may_fail=True).returncode != 0, "it started")
    line = journal.wait_for(r"socket activation: .*2004.* is not among .*2003.*\(echo\)").group()
    expect((show("ActiveState"), show("ExecMainStatus")) == ("failed", "78"),
           f"it is {show('ActiveState')}, with status {show('ExecMainStatus')}")
    return line


def mismatch_is_not_tried_for_ever():
    """with such a configuration echod.socket fails after some attempts, and the documented commands repair both"""
    as_installed()
    configure(port=2004)
    # The shipped unit's 100 attempts within a minute only take longer.
    drop_in("[Unit]\nStartLimitIntervalSec=3600\nStartLimitBurst=5\n")
    systemctl("start", "echod.socket")
    with connect():
        wait_until(lambda: show("ActiveState", "echod.socket") == "failed", "echod.socket failed", 30)
    result = show("Result", "echod.socket")
    expect(result in ("trigger-limit-hit", "service-start-limit-hit"), f"the result is {result}")
    configure()
    systemctl("reset-failed", "echod.service", "echod.socket")
    systemctl("start", "echod.socket", "echod.service")
    echo()
    return result


def restart_refuses_no_connection():
    """three restarts under load: no connection is refused or reset"""
    as_installed()
    systemctl("start", "echod.socket", "echod.service")
    load = Load(clients=8)
    for _ in range(3):
        load.wait_for(200)
        pid = main_pid()
        systemctl("restart", "echod.service")
        expect(main_pid() not in (0, pid), "it was not restarted")
    load.wait_for(200)
    load.stop(service_stops=3)
    return f"{load.echoed} connections, {load.cut} of them ended by a stop before they had sent"


def stopping_both_closes_the_port():
    """stopping socket and service closes the port"""
    as_installed()
    systemctl("start", "echod.socket", "echod.service")
    echo()
    systemctl("stop", "echod.socket", "echod.service")
    expect(is_refused(), "the port is still open")


def needs_no_network_of_its_own():
    """with socket-activated.conf it serves port 7 without a capability and without a network, score at most 0.5"""
    as_installed()
    configure(port=7)
    listen_on(7)
    use_example("socket-activated.conf")
    systemctl("start", "echod.service")  # Which requires the socket.
    echo(port=7)
    echo(port=7, host="::1", data=bytes(range(256)) * 4096)
    pid = main_pid()
    expect(capabilities(pid) == 0, f"its capabilities are {capabilities(pid):#x}")
    expect(os.readlink(f"/proc/{pid}/ns/net") != os.readlink("/proc/1/ns/net"), "its network is that of the host")
    expect(exposure() <= 0.5, f"the score is {exposure()}")
    run("echoctl", "health")  # The admin socket is a path, and needs no network.
    log = Log()
    systemctl("reload", "echod.service")
    log.wait_for("reload: applied")
    systemctl("restart", "echod.service")
    echo(port=7)
    return f"score {exposure()}"


def datagrams_are_served_too():
    """with ListenDatagram= a datagram starts it and is echoed, and the socket stays through an upgrade in place"""
    as_installed()
    udp = '[[listen]]\nprotocol = "udp"\n'
    configure(added=udp)
    drop_in("[Socket]\nListenDatagram=2003\n", unit="echod.socket")
    systemctl("start", "echod.socket")
    expect(show("ActiveState") == "inactive", "echod runs already")
    with datagram_peer() as peer:
        echo_datagram(peer, b"starts it")
        echo_datagram(peer, bytes(1472))
        pid = main_pid()
        log = Log()
        configure(workers=3, added=udp)
        systemctl("reload", "echod.service")
        echo_datagram(peer, b"after the reload")
        log.wait_for("has replaced echod")
        echo_datagram(peer, b"after the upgrade")
    expect(main_pid() == pid, "it is another process")
    echo()


def unix_sockets_are_served_too():
    """with ListenStream=/path a client starts it beside TCP and UDP, and the path stays through an upgrade and a stop"""
    as_installed()
    path = "/run/echo-test.sock"
    added = f'[[listen]]\nprotocol = "udp"\n[[listen]]\npath = "{path}"\n'
    configure(added=added)
    drop_in(f"[Socket]\nListenDatagram=2003\nListenStream={path}\nSocketMode=0600\n", unit="echod.socket")
    systemctl("start", "echod.socket")
    expect(show("ActiveState") == "inactive", "echod runs already")
    echo(path)
    inode = os.stat(path).st_ino
    pid = main_pid()
    log = Log()
    with connect(path) as peer:
        ping(peer)
        configure(workers=3, added=added)
        systemctl("reload", "echod.service")
        log.wait_for("has replaced echod")
        ping(peer)
    expect(main_pid() == pid, "it is another process")
    systemctl("restart", "echod.service")
    echo(path)
    echo()
    with datagram_peer() as peer:
        echo_datagram(peer, b"and datagrams")
    systemctl("stop", "echod.socket", "echod.service")
    status = os.stat(path)
    expect(status.st_ino == inode and status.st_mode & 0o777 == 0o600, "the path has changed")
    os.unlink(path)


def serves_a_path_of_its_own():
    """a relative path is in /run/echod, members of the group may connect, and after kill -9 it is served again"""
    as_installed()
    path = "/run/echod/echo.sock"
    configure(added='[[listen]]\npath = "echo.sock"\n')
    systemctl("restart", "echod.service")
    echo(path)
    status = os.stat(path)
    expect(status.st_mode & 0o777 == 0o660 and status.st_gid == grp.getgrnam("echod").gr_gid,
           f"its mode is {status.st_mode:o}, its group {status.st_gid}")
    pid = main_pid()
    systemctl("kill", "--signal=KILL", "echod.service")
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "another process")
    echo(path)
    systemctl("stop", "echod.service")
    expect(not os.path.exists(path), "the path is still there")


def restarts_after_a_kill():
    """after kill -9 with an open socket unit echod is restarted, and the port stays open"""
    as_installed()
    systemctl("start", "echod.socket", "echod.service")
    pid = main_pid()
    systemctl("kill", "--signal=KILL", "echod.service")
    expect(not is_refused(), "the port was closed")
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "another process")
    echo()


CHECKS = [first_connection_starts_it, mismatch_is_named, mismatch_is_not_tried_for_ever, restart_refuses_no_connection,
          stopping_both_closes_the_port, needs_no_network_of_its_own, datagrams_are_served_too,
          unix_sockets_are_served_too, serves_a_path_of_its_own, restarts_after_a_kill]

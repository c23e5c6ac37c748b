"""The service: start, configuration, reload, watchdog, stop."""

import os
import re
import signal
import socket
import time

from guest_commands import (CONFIG, LOG, Journal, Log, as_installed, backlog, capabilities, configure, drop_in, expect,
                            exposure, main_pid, read, restarts, run, show, start, status_text, systemctl, use_example,
                            wait_until, write)
from peers import (connect, echo, expect_silence, is_refused, ping, receive_to_end, send_until_blocked,
                   stop_thread, unacknowledged)

KEY_WITH_ERROR = "\n[limits]\nmax_conections = 5\n"


def break_configuration():
    write(CONFIG, KEY_WITH_ERROR)


def journal_has_the_messages_alone():
    """lines in the journal have a priority, and no time or name of echod"""
    as_installed()
    journal = Journal()
    start()
    line = journal.wait_for("(?m)^started: echod .*, time zone .*$").group()
    expect("network-server" not in journal.text(), "lines contain the name of the log")
    run("journalctl", "--unit=echod.service", "--priority=info..info", "--grep=^started: echod")
    return line


def echoes():
    """after systemctl start, bytes come back over IPv4, over IPv6 and with nc"""
    start()
    echo()
    echo(host="::1", data=bytes(range(256)) * 4096)
    shown = run("bash", "-c", "echo hello | nc -N localhost 2003").stdout
    expect(shown == "hello\n", f"nc shows {shown!r}")


def ready_means_listening():
    """when systemctl start and restart return, the port is open: five times in a row"""
    start()
    for _ in range(5):
        echo()
        systemctl("restart", "echod.service")
    echo()


def takes_an_edited_port_and_backlog():
    """after a restart, port and backlog are those of the edited configuration"""
    start()
    configure(port=2004, backlog=77)
    systemctl("restart", "echod.service")
    echo(port=2004)
    expect(is_refused(), "the old port is still open")
    expect(backlog(2004) == 77, f"the backlog is {backlog(2004)}")


def tells_its_status():
    """systemctl status shows the current connections, echoes and bytes"""
    start()
    with connect() as peer:
        ping(peer)
        text = wait_until(lambda: re.search("^1 connections; 1 accepted, 1 echoes, 4 bytes.*", status_text()),
                          "a status with one connection and one echo").group()
    wait_until(lambda: status_text().startswith("0 connections; 1 accepted"), "a status without connections")
    return text


def reload_takes_a_good_configuration():
    """systemctl reload applies a limit, and keeps the process and its connections"""
    start()
    pid, log = main_pid(), Log()
    with connect() as peer:
        ping(peer)
        configure(max_connections=1)
        systemctl("reload", "echod.service")
        log.wait_for("reload: applied")
        ping(peer)
        with connect() as second:
            second.sendall(b"x")
            expect_silence(second, "the new limit is not applied")
            peer.close()
            expect(second.recv(1) == b"x", "the waiting client was not served")
    expect(main_pid() == pid, "it is another process")


def reload_refuses_a_broken_configuration():
    """with an invalid configuration systemctl reload fails and names the line, and the old one stays in use"""
    start()
    pid, journal = main_pid(), Journal()
    break_configuration()
    result = systemctl("reload", "echod.service", may_fail=True)
    expect(result.returncode != 0, "systemctl reload succeeded")
    line = journal.wait_for(rf"{CONFIG}:3:1: .*did you mean limits\.max_connections.*").group()
    expect(main_pid() == pid and show("ActiveState") == "active", "the service did not survive it")
    echo()
    return line


def reload_refuses_a_missing_configuration():
    """with a missing configuration file systemctl reload fails and SIGHUP is refused; with the file back it succeeds"""
    start()
    pid, log, journal = main_pid(), Log(), Journal()
    text = read(CONFIG)
    os.remove(CONFIG)
    result = systemctl("reload", "echod.service", may_fail=True)
    expect(result.returncode != 0, "systemctl reload succeeded")
    line = journal.wait_for(rf"{CONFIG}: cannot be read: .*").group()
    systemctl("kill", "--kill-whom=main", "--signal=HUP", "echod.service")
    log.wait_for("reload: refused")
    expect(main_pid() == pid and show("ActiveState") == "active", "the service did not survive it")
    write(CONFIG, text)
    systemctl("reload", "echod.service")
    log.wait_for(f"reload: applied, configuration: {CONFIG}")
    return line


def reload_checks_the_file_of_a_drop_in():
    """systemctl reload checks the file that a drop-in names, and not the default file"""
    other = "/etc/echod-other.toml"
    start()
    write(other, "[[listen]]\nport = 2004\n")
    os.chmod(other, 0o644)
    drop_in(f"[Service]\nExecStart=\nExecStart=/usr/sbin/echod --config {other}\n")
    systemctl("restart", "echod.service")
    log = Log()
    break_configuration()
    systemctl("reload", "echod.service")
    log.wait_for(f"reload: applied, configuration: {other}")
    write(other, KEY_WITH_ERROR)
    journal = Journal()
    result = systemctl("reload", "echod.service", may_fail=True)
    expect(result.returncode != 0, "systemctl reload succeeded")
    journal.wait_for(rf"{other}:3:1: .*did you mean")
    os.remove(other)


def hangup_refuses_a_broken_configuration():
    """SIGHUP with an invalid configuration is refused too, and the status says so"""
    start()
    pid, log = main_pid(), Log()
    break_configuration()
    systemctl("kill", "--kill-whom=main", "--signal=HUP", "echod.service")
    log.wait_for("reload: refused")
    wait_until(lambda: "the last reload was refused" in status_text(), "a status that says it")
    expect(main_pid() == pid and show("ActiveState") == "active", "the service did not survive it")
    echo()


def restart_fails_clearly():
    """with an invalid configuration systemctl restart fails and names the line, and systemd does not retry"""
    start()
    journal = Journal()
    break_configuration()
    result = systemctl("restart", "echod.service", may_fail=True)
    expect(result.returncode != 0, "systemctl restart succeeded")
    journal.wait_for(rf"{CONFIG}:3:1: .*did you mean")
    expect((show("ActiveState"), show("ExecMainStatus")) == ("failed", "78"),
           f"it is {show('ActiveState')}, with status {show('ExecMainStatus')}")
    expect("max_conections" in status_text(), f"the status is {status_text()!r}")
    expect(restarts() == 0, "it was started again")


def waits_for_its_port():
    """a port in use is reported, and systemd restarts echod until the port is free"""
    as_installed()
    journal = Journal()
    with socket.create_server(("::", 2003), family=socket.AF_INET6):
        expect(systemctl("start", "echod.service", may_fail=True).returncode != 0, "it started on a port in use")
        journal.wait_for("cannot listen on .*2003.*in use")
        wait_until(lambda: restarts() > 1, "it was tried again")
    wait_until(lambda: show("ActiveState") == "active", "it runs, now that the port is free")
    echo()


def survives_a_kill():
    """after kill -9 systemd starts it again"""
    start()
    pid = main_pid()
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "another process")
    expect(restarts() == 1, f"NRestarts is {restarts()}")
    echo()


def start_with_watchdog():
    """Sets the watchdog to 12 s instead of the 30 s of the shipped unit, to make the test faster."""
    as_installed()
    drop_in("[Service]\nWatchdogSec=12\n")
    systemctl("start", "echod.service")


def watchdog_finds_a_stuck_worker():
    """a stuck worker is logged, then the watchdog restarts echod"""
    start_with_watchdog()
    pid, log, journal = main_pid(), Log(), Journal()
    tracer = stop_thread(pid, "worker-0")
    log.wait_for("worker 0 has not answered", 15)
    journal.wait_for("[Ww]atchdog timeout", 60)
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "another process", 60)
    os.waitpid(tracer, 0)
    echo()


def watchdog_finds_a_stopped_process():
    """the watchdog restarts echod if the whole process is stopped (SIGSTOP)"""
    start_with_watchdog()
    pid, journal = main_pid(), Journal()
    os.kill(pid, signal.SIGSTOP)
    journal.wait_for("[Ww]atchdog timeout", 60)
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "another process", 60)
    echo()


def stop_drains():
    """systemctl stop closes the port, and a late reader gets all its bytes, even after TimeoutStopSec="""
    start()
    drop_in("[Service]\nTimeoutStopSec=3\n")
    systemctl("restart", "echod.service")
    log = Log()
    with connect() as peer:
        name = "%s:%d" % peer.getsockname()
        sent = send_until_blocked(peer)
        arrived = len(sent) - unacknowledged(peer)
        systemctl("stop", "--no-block", "echod.service")
        wait_until(is_refused, "the port is closed")
        wait_until(lambda: "draining" in status_text(), "a status that says so")
        time.sleep(8)  # Longer than TimeoutStopSec=.
        got = receive_to_end(peer)
        expect(sent.startswith(got), f"{len(got)} bytes came back, which are not the first that were sent")
        expect(len(got) >= arrived, f"{len(got)} bytes came back of {arrived} that had arrived before the stop")
    wait_until(lambda: show("ActiveState") != "deactivating", "it stopped", 20)
    expect(show("Result") == "success", f"it ended with {show('Result')}")
    line = log.wait_for(rf"close peer={re.escape(name)} .*").group()
    expect(f" in={len(got)} out={len(got)} " in line and line.endswith("reason=drained"),
           f"{len(got)} bytes came back, and the log says {line}")
    return f"{len(got) >> 10} KiB, read after 8 s"


def stop_ends_with_a_stuck_worker():
    """with a stuck worker a stop ends in time, with its own exit code"""
    start(drain_s=1)
    pid, journal = main_pid(), Journal()
    tracer = stop_thread(pid, "worker-0")
    systemctl("stop", "echod.service", may_fail=True)
    os.waitpid(tracer, 0)
    expect((show("Result"), show("ExecMainStatus")) == ("exit-code", "70"),
           f"it ended with {show('Result')}, {show('ExecMainStatus')}")
    expect("imed out" not in journal.text(), "systemd had to kill it")


def is_hardened():
    """systemd-analyze security rates the shipped unit at most 1.2; it runs as its own user without capabilities"""
    start()
    expect(exposure() <= 1.2, f"the score is {exposure()}")
    expect(capabilities(main_pid()) == 0, "it has capabilities")
    owner = run("stat", "--format=%U %a", os.path.dirname(LOG)).stdout.strip()
    expect(owner == "echod 750", f"the log directory belongs to {owner}")
    return f"score {exposure()}"


def operators_may_look():
    """the admin socket is for root and the group echod, and echoctl uses it by default; nobody else may"""
    start()
    shown = run("stat", "--format=%U:%G %a", "/run/echod/admin.sock").stdout.strip()
    expect(shown == "echod:echod 660", f"the admin socket is {shown}")
    expect("is serving, healthy and ready" in run("echoctl", "status").stdout, "root sees no state")
    as_member = run("setpriv", "--reuid=nobody", "--regid=nogroup", "--groups=echod", "echoctl", "health")
    expect(as_member.returncode == 0, "a member of the group sees nothing")
    refused = run("setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", "echoctl", "health", may_fail=True)
    expect(refused.returncode != 0 and "permission" in refused.stdout.lower(), f"others see: {refused.stdout}")
    pid = main_pid()
    systemctl("restart", "echod.service")
    expect(main_pid() != pid, "it was not restarted")
    run("echoctl", "health")


def drains_for_an_operator():
    """echoctl drain stops the service, and systemd does not start it again"""
    start()
    run("echoctl", "drain")
    wait_until(lambda: show("ActiveState") == "inactive", "a stop")
    expect(show("Result") == "success", f"the result is {show('Result')}")


def port_7_needs_the_capability():
    """without the capability port 7 is refused with the reason, and systemd does not retry"""
    as_installed()
    configure(port=7)
    journal = Journal()
    expect(systemctl("start", "echod.service", may_fail=True).returncode != 0, "it started")
    journal.wait_for("CAP_NET_BIND_SERVICE")
    expect((show("ActiveState"), show("ExecMainStatus"), restarts()) == ("failed", "77", 0),
           f"it is {show('ActiveState')}, with status {show('ExecMainStatus')}")


def port_7_works_with_the_example():
    """with port-7.conf it serves port 7, has one capability, and a score of at most 1.6"""
    as_installed()
    configure(port=7)
    use_example("port-7.conf")
    systemctl("start", "echod.service")
    echo(port=7)
    expect(capabilities(main_pid()) == 1 << 10, f"its capabilities are {capabilities(main_pid()):#x}")
    expect(exposure() <= 1.6, f"the score is {exposure()}")
    return f"score {exposure()}"


CHECKS = [echoes, journal_has_the_messages_alone, ready_means_listening, takes_an_edited_port_and_backlog,
          tells_its_status, reload_takes_a_good_configuration, reload_refuses_a_broken_configuration,
          reload_refuses_a_missing_configuration, reload_checks_the_file_of_a_drop_in,
          hangup_refuses_a_broken_configuration, restart_fails_clearly, waits_for_its_port, survives_a_kill,
          watchdog_finds_a_stuck_worker, watchdog_finds_a_stopped_process, stop_drains,
          stop_ends_with_a_stuck_worker, is_hardened, operators_may_look, drains_for_an_operator,
          port_7_needs_the_capability, port_7_works_with_the_example]

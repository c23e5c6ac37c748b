"""Upgrades in place: by installing packages, and by reloads."""

import json
import os
import signal
import socket
import subprocess
import time

from guest_commands import (Journal, as_installed, capabilities, configure, drop_in, expect, main_pid, restarts, run,
                            show, start, status_text, systemctl, use_example, wait_until)
from peers import Load, connect, echo, ping, receive_to_end, send_until_blocked
from repackaging import (PROGRAM, change_unit, install, installed_program_version, installed_version, name_version,
                         new_package, packages, replace_program, wrap_program)

IN_PLACE = "reloading echod.service"
SETTINGS = {"is_long": False}  # Set by in_guest.


class Echoloads:
    """Runs of echoload, which compare every byte, until stop() or the end of a `with`."""

    def __init__(self, *modes):
        self.runs = [subprocess.Popen(["echoload", *mode.split(), "--duration", "600s", "--warmup", "0", "--json", "-",
                                       "localhost:2003"],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                     for mode in modes]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.runs:
            process.kill()
            process.wait()

    def stop(self):
        """Ends the runs. None may have seen an error or lost a connection. Returns the number of received bytes."""
        for process in self.runs:
            process.send_signal(signal.SIGINT)
        results = [json.loads(process.communicate(timeout=60)[0]) for process in self.runs]
        for result in results:
            lost = result["lost_connections"]["lost"]
            expect(result["errors"]["total"] == lost == 0 < result["bytes_received"],
                   f"echoload: {result['errors']}, {lost} lost, {result['failures']}")
        return sum(result["bytes_received"] for result in results)


class SameService:
    """That the service goes on as the same process, which systemd has not started again."""

    def __init__(self):
        self.pid, self.restarts = main_pid(), restarts()

    def expect(self, upgrades=None):
        expect((show("ActiveState"), main_pid(), restarts()) == ("active", self.pid, self.restarts),
               f"it is {show('ActiveState')}, process {main_pid()} after {self.pid}, {restarts()} restarts")
        if upgrades is not None:
            done = counter("upgrades")
            expect(done == upgrades, f"{done} upgrades instead of {upgrades}")


def counter(name):
    """A counter of the line that SIGUSR2 asks for."""
    journal = Journal()
    systemctl("kill", "--kill-whom=main", "--signal=USR2", "echod.service")
    return int(journal.wait_for(rf"counters: .* {name}=(\d+)").group(1))


def running_version():
    return json.loads(run("echoctl", "status", "--json").stdout)["version"]


def change_program():
    """Gives the program file another time of change, so that the next reload is an upgrade."""
    os.utime(PROGRAM)


def this_build():
    """The package file of echod of this build."""
    return next(file for file in packages() if "/echod_" in file)


def put_back():
    """Stops echod, and installs this build's package again if another one is installed."""
    as_installed()
    if f"/echod_{installed_version()}_" not in this_build():
        install(this_build())
        as_installed()  # The installation has started it.


def package_upgrade_keeps_connections():
    """a newer package, installed under load, takes over in the same process, and no byte or connection is lost"""
    put_back()
    start()
    service, before = SameService(), running_version()
    new = new_package("+1", name_version("9.9.9"))
    load = Load()
    with connect() as late, Echoloads("--connections 50 --size 1-4k", "--mode connect --connections 4",
                                      "--mode stream --connections 4 --size 256k --depth 4",
                                      "--connections 500 --active 4 --rate 200") as loads:
        sent = send_until_blocked(late)
        late.shutdown(socket.SHUT_WR)
        load.wait_for(100)
        printed = install(new)
        load.wait_for(100)
        got = receive_to_end(late)
        expect(got == sent, f"a late reader got {len(got)} of {len(sent)} bytes, or wrong ones")
        received = loads.stop()
    load.stop()
    service.expect(upgrades=1)
    expect(IN_PLACE in printed, f"the installation said: {printed[-300:]}")
    expect(running_version() == "9.9.9" == installed_program_version(), f"{running_version()} runs")
    run("echoload", "check", "localhost:2003")
    return f"{before} to {running_version()}, {received >> 20} MiB checked, pause {pause_ms()} ms"


def pause_ms():
    """How long the last upgrade stopped the workers, as the log says."""
    shown = run("journalctl", "--quiet", "--output=cat", "--unit=echod.service", "--grep=the pause took").stdout
    return int(shown.strip().splitlines()[-1].split("the pause took ")[1].split()[0])


def changed_unit_restarts():
    """a package whose unit differs restarts the service and says why; a changed comment in the unit does not"""
    put_back()
    start()
    service = SameService()
    printed = install(new_package("+2", change_unit("# The rest is a sandbox", "# A sandbox")))
    service.expect(upgrades=1)
    expect(IN_PLACE in printed, f"the installation said: {printed[-300:]}")
    printed = install(new_package("+3", change_unit("LimitNOFILE=1048576", "LimitNOFILE=1000")))
    expect(main_pid() not in (0, service.pid) and show("ActiveState") == "active", "it was not restarted")
    expect("the settings of its unit have changed" in printed, f"the installation said: {printed[-300:]}")
    expect("1000" in run("prlimit", f"--pid={main_pid()}", "--nofile", "--noheadings", "--output=HARD").stdout,
           "the new limit is not in force")
    echo()


REFUSES = """#!/bin/sh
# Fails the check of an upgrade.
case " $* " in *" --check-upgrade "*) echo "echod: broken on purpose" >&2; exit 1 ;; esac
exec /usr/lib/echod/echod "$@"
"""


def broken_program_is_refused():
    """a package with a broken program is installed, the running program goes on, and the status shows why"""
    start()
    service = SameService()
    refusal = "the reload was refused, so the previous program goes on"
    with connect() as peer:
        ping(peer)
        printed = install(new_package("+4", wrap_program(REFUSES)))
        expect(refusal in printed, f"the installation said: {printed[-300:]}")
        ping(peer)
        wait_until(lambda: f"the last reload was refused: upgrade: {PROGRAM}: broken on purpose" in
                   run("systemctl", "status", "echod.service").stdout, "a status with the reason")
        service.expect(upgrades=0)
        # This one cannot even send the request for a reload.
        printed = install(new_package("+5", lambda tree: replace_program(tree, lambda program: program[:100000])))
        expect(refusal in printed, f"the installation said: {printed[-300:]}")
        shown = run("systemctl", "status", "echod.service").stdout
        expect("ExecReload=" in shown and "signal=SEGV" in shown, f"systemctl status shows {shown[:600]}")
        ping(peer)
        install(this_build())
        ping(peer)
    service.expect(upgrades=1)


CRASHES = """#!/bin/sh
# Passes the check of an upgrade, and crashes when it takes over.
case " $* " in *" --check-upgrade "*) ;; *) [ -z "${ECHOD_STATE_FD:-}" ] || kill -SEGV $$ ;; esac
exec /usr/lib/echod/echod "$@"
"""

HANGS = CRASHES.replace("kill -SEGV $$", "exec sleep 600").replace("crashes", "hangs")


def crash_of_the_new_program_ends_in_a_start():
    """if the new program crashes when it takes over, systemd starts it anew, and the installation says so"""
    start()
    pid = main_pid()
    printed = install(new_package("+6", wrap_program(CRASHES)))
    expect("the reload failed, and systemd starts the new program anew" in printed,
           f"the installation said: {printed[-300:]}")
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "another process")
    expect(restarts() == 1, f"NRestarts is {restarts()}")
    echo()


def hang_of_the_new_program_ends_by_the_watchdog():
    """if the new program hangs when it takes over, the watchdog ends it, and systemd starts it anew"""
    put_back()
    drop_in("[Service]\nWatchdogSec=6\n")
    systemctl("start", "echod.service")
    pid, journal = main_pid(), Journal()
    install(new_package("+7", wrap_program(HANGS)))
    journal.wait_for("[Ww]atchdog timeout", 60)
    wait_until(lambda: main_pid() not in (0, pid) and show("ActiveState") == "active", "another process", 60)
    echo()


def many_upgrades_keep_everything():
    """20 reloads that are upgrades, under load: the same process, and its watchdog stays content"""
    as_installed()
    drop_in("[Service]\nWatchdogSec=7\n")
    systemctl("start", "echod.service")
    service, journal, rounds = SameService(), Journal(), 100 if SETTINGS["is_long"] else 20
    with Echoloads("--connections 20 --rate 500", "--connections 2 --size 64k --rate 200") as loads:
        began = time.monotonic()
        for _ in range(rounds):
            change_program()
            systemctl("reload", "echod.service")
            expect(show("ActiveState") == "active", f"after a reload it is {show('ActiveState')}")
        took = time.monotonic() - began
        time.sleep(8)  # Longer than WatchdogSec=.
        loads.stop()
    service.expect(upgrades=rounds)
    expect("atchdog timeout" not in journal.text(), "the watchdog ended it")
    wait_until(lambda: status_text().startswith("0 connections"), "a status without connections")
    return f"{rounds} upgrades, {1000 * took / rounds:.0f} ms each, last pause {pause_ms()} ms"


def reload_applies_every_key():
    """systemctl reload applies a new port, backlog, number of workers and admin port, and keeps connections"""
    start()
    service = SameService()
    with connect() as peer:
        ping(peer)
        configure(port=2004, backlog=77, workers=3)
        systemctl("reload", "echod.service")
        ping(peer)
        echo(port=2004)
    service.expect(upgrades=1)
    shown = run("ss", "--listening", "--tcp", "--numeric", "--no-header").stdout
    expect("77" in shown.split() and ":2003" not in shown, f"listening sockets: {shown}")
    expect(counter("workers") == 3, "there are not 3 workers")


def reload_names_what_hinders_an_upgrade():
    """systemctl reload fails if a new address is in use, with the reason in systemctl status; nothing changes"""
    start()
    service, journal = SameService(), Journal()
    other = subprocess.Popen(["nc", "-l", "-k", "-p", "2004"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: ":2004" in run("ss", "-ltn").stdout, "nc listens")
        configure(port=2004)
        expect(systemctl("reload", "echod.service", may_fail=True).returncode != 0, "systemctl reload succeeded")
    finally:
        other.kill()
        other.wait()
    line = journal.wait_for("upgrade: .*2004.*in use.*").group()
    expect(line in run("systemctl", "status", "echod.service").stdout, "systemctl status does not show it")
    service.expect(upgrades=0)
    echo()
    return line


def port_7_is_upgraded():
    """with port-7.conf an upgrade keeps port 7 and its capability, and opens another port below 1024"""
    as_installed()
    configure(port=7)
    use_example("port-7.conf")
    systemctl("start", "echod.service")
    service = SameService()
    with connect(port=7) as peer:
        ping(peer)
        change_program()
        systemctl("reload", "echod.service")
        ping(peer)
        configure(port=9)
        systemctl("reload", "echod.service")
        ping(peer)
    echo(port=9)
    service.expect(upgrades=2)
    expect(capabilities(main_pid()) == 1 << 10, f"its capabilities are {capabilities(main_pid()):#x}")


def socket_activated_is_upgraded():
    """with echod.socket and socket-activated.conf, two upgrades in a row keep socket, connections and sandbox"""
    as_installed()
    use_example("socket-activated.conf")
    systemctl("start", "echod.service")  # Which requires the socket.
    service = SameService()
    load = Load()
    with connect() as peer:
        for _ in range(2):
            ping(peer)
            change_program()
            systemctl("reload", "echod.service")
        ping(peer)
    load.wait_for(50)
    load.stop()
    service.expect(upgrades=2)
    expect(os.readlink(f"/proc/{main_pid()}/ns/net") != os.readlink("/proc/1/ns/net"), "its network is that of the host")
    systemctl("stop", "echod.service")
    echo()  # systemd still has the socket, and starts echod again.
    as_installed()


# In this order: each installation takes time, so most checks begin with what the previous one has installed.
CHECKS = [package_upgrade_keeps_connections, broken_program_is_refused, crash_of_the_new_program_ends_in_a_start,
          changed_unit_restarts, many_upgrades_keep_everything, reload_applies_every_key,
          reload_names_what_hinders_an_upgrade, port_7_is_upgraded, socket_activated_is_upgraded]
LONG_CHECKS = [hang_of_the_new_program_ends_by_the_watchdog]

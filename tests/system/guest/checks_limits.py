"""The log, its rotation, and the limits: open files and disk space."""

import glob
import gzip
import os
import re
import subprocess

from guest_commands import (CONFIG, LOG, LOGS, Journal, Log, as_installed, configure, drop_in, expect, main_pid, read,
                            restarts, run, show, start, systemctl, wait_until, write)
from peers import Load, connect, echo, expect_silence, ping

LOGROTATE = ("logrotate", "--force", "/etc/logrotate.d/echod")
LINE = r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} - network-server - [A-Z]+ - .+$"


def log_can_be_followed():
    """tail -f shows the open and the close of a connection, in lines of the documented form"""
    start()
    command = ["timeout", "20", "tail", "-n", "1", "-f", LOG]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tail:
        try:
            tail.stdout.readline()  # The last existing line: tail follows the file now.
            echo()
            line = next((line for line in tail.stdout if " close peer=" in line), "no close")
        finally:
            tail.terminate()
    bad = [line for line in read(LOG).splitlines() if not re.match(LINE, line)]
    expect(re.match(LINE, line.rstrip()), f"tail shows {line!r}")
    expect(not bad, f"lines of another form: {bad[:1]}")
    return line.strip()


def lines_of_all_logs():
    lines = []
    for file in glob.glob(LOG + "*"):
        opened = gzip.open(file, "rt") if file.endswith(".gz") else open(file, encoding="utf-8")
        with opened:
            lines += opened.read().splitlines()
    return lines


def rotation_loses_no_line():
    """after five rotations by logrotate under load, each connection has one open line and one close line"""
    as_installed()
    for file in glob.glob(LOG + "*"):
        os.remove(file)
    configure(connection_lines_per_second=0)
    systemctl("start", "echod.service")
    load = Load()
    for _ in range(5):
        load.wait_for(300)
        run(*LOGROTATE)
        wait_until(lambda: os.path.exists(LOG) and "log file reopened" in read(LOG), "a new log")
    load.wait_for(300)
    load.stop()
    systemctl("stop", "echod.service")  # Writes the queued lines.
    lines = lines_of_all_logs()
    counters = [line for line in lines if "counters:" in line][-1]
    accepted = int(re.search(r" accepted=(\d+)", counters).group(1))
    opened = sum(" open peer=" in line for line in lines)
    closed = sum(" close peer=" in line for line in lines)
    expect(opened == closed == accepted == load.echoed,
           f"{load.echoed} echoes, {accepted} accepted, {opened} open lines, {closed} close lines")
    expect(glob.glob(LOG + ".*.gz") and os.path.exists(LOG + ".1"), "nothing was compressed, or .1 was")
    return f"{accepted} connections, {len(glob.glob(LOG + '*'))} files"


def rotation_needs_no_valid_configuration():
    """logrotate works with an invalid configuration, and while echod is stopped"""
    start()
    log = Log()
    echo()
    log.wait_for("close peer=")
    write(CONFIG, "no TOML\n")
    run(*LOGROTATE)
    wait_until(lambda: os.path.exists(LOG) and "log file reopened" in read(LOG), "a new log")
    echo()
    systemctl("stop", "echod.service")
    run(*LOGROTATE)


def daily_rotation_accepts_it():
    """logrotate.service, as its timer starts it, succeeds"""
    start()
    systemctl("start", "logrotate.service")


def log_that_has_grown_is_rotated_before_its_day():
    """logrotate rotates a log of more than 100 MB again on the same day, and not a smaller one"""
    start()
    run(*LOGROTATE)
    wait_until(lambda: os.path.exists(LOG) and "log file reopened" in read(LOG), "a new log")
    small = os.stat(LOG).st_ino
    run("logrotate", "/etc/logrotate.d/echod")
    expect(os.stat(LOG).st_ino == small, "a small log was rotated twice on one day")
    os.truncate(LOG, 101 << 20)
    run("logrotate", "/etc/logrotate.d/echod")
    wait_until(lambda: os.path.exists(LOG) and os.stat(LOG).st_ino != small, "a new log")
    os.remove(LOG + ".1")


def limits_in(text):
    found = re.findall(r"limits: (\d+) connections, (\d+) open files", text)
    expect(found, "no line about limits")
    return [int(number) for number in found[-1]]


def start_with_open_files(number):
    """Restarts echod with this LimitNOFILE=, and returns the limit of connections that echod logs."""
    drop_in(f"[Service]\nLimitNOFILE={number}\n")
    log = Log()
    systemctl("restart", "echod.service")
    log.wait_for("started: echod")
    connections, open_files = limits_in(log.text())
    expect(open_files == number, f"with LimitNOFILE={number} echod says {open_files} open files")
    return connections


def too_few_open_files_are_refused():
    """with a LimitNOFILE= that leaves no connection the start fails once and names the number needed"""
    start()
    drop_in("[Service]\nLimitNOFILE=12\n")
    journal = Journal()
    expect(systemctl("restart", "echod.service", may_fail=True).returncode != 0, "it started")
    line = journal.wait_for("ulimit -n allows 12 open files, but serving one connection needs .*").group()
    expect((show("ActiveState"), show("ExecMainStatus"), restarts()) == ("failed", "78", 0),
           f"it is {show('ActiveState')}, with status {show('ExecMainStatus')}")
    return line


def open_files_can_be_lowered_and_raised():
    """LimitNOFILE= is in the log and limits connections: a client above the limit waits and is served later"""
    start()
    few = start_with_open_files(128)
    expect(few < 128, f"{few} connections with 128 open files")
    peers = [connect() for _ in range(few)]
    for peer in peers:
        ping(peer)
    with connect() as late:
        late.sendall(b"x")
        expect_silence(late, f"more than {few} connections are served")
        peers.pop().close()
        expect(late.recv(1) == b"x", "the waiting client was not served")
    for peer in peers:
        peer.close()
    many = start_with_open_files(1024)
    peers = [connect() for _ in range(2 * few)]
    for peer in peers:
        ping(peer)
        peer.close()
    return f"{few} connections with 128 open files, {many} with 1024"


def shipped_limit_is_the_hard_one():
    """the shipped unit uses the limit that the kernel or the container allows"""
    log = Log()
    start()
    log.wait_for("started: echod")
    hard = int(re.search(r"Max open files\s+\d+\s+(\d+)", read(f"/proc/{main_pid()}/limits")).group(1))
    connections, open_files = limits_in(log.text())
    expect(open_files == hard, f"{open_files} of {hard} open files")
    return f"{connections} connections, {open_files} open files"


def ulimit_bounds_it_in_a_shell():
    """echod started in a shell logs the ulimit -n of that shell"""
    command = "ulimit -n 100; echod --config /dev/null --port 0 --log-file '' --quit-on-stdin </dev/null"
    connections, open_files = limits_in(run("bash", "-c", command).stdout)
    expect(open_files == 100 and connections < 100, f"{connections} connections, {open_files} open files")
    return f"{connections} connections, {open_files} open files"


def full_disk_stops_no_echo():
    """with a full disk echod reports it once and still echoes, and logs again when there is space"""
    as_installed()
    run("mount", "-t", "tmpfs", "-o", "size=64k,mode=750", "tmpfs", LOGS)
    try:
        configure(connection_lines_per_second=0)
        systemctl("start", "echod.service")
        journal = Journal()
        filler = LOGS + "/filler"
        run("dd", "if=/dev/zero", f"of={filler}", "bs=1k", may_fail=True)
        wait_until(lambda: [echo(), "cannot write the log file" in journal.text()][1], "a message in the journal", 30)
        for _ in range(100):
            echo()
        told = journal.text().count("cannot write the log file")
        expect(told == 1, f"it was reported {told} times")
        os.remove(filler)
        log = Log()
        wait_until(lambda: [echo(), "close peer=" in log.text()][1], "lines in the log again")
    finally:
        as_installed()


def unwritable_log_directory_stops_no_echo():
    """with an unwritable log directory echod reports it and still echoes; SIGUSR1 opens the log again"""
    start()
    pid, journal = main_pid(), Journal()
    run("chown", "root:root", LOGS)
    run("chmod", "555", LOGS)
    os.rename(LOG, LOG + ".away")
    systemctl("kill", "--kill-whom=main", "--signal=USR1", "echod.service")
    journal.wait_for("cannot write the log file .*ermission denied")
    echo()
    run("chown", "echod:echod", LOGS)
    run("chmod", "750", LOGS)
    systemctl("kill", "--kill-whom=main", "--signal=USR1", "echod.service")
    wait_until(lambda: os.path.exists(LOG) and "log file reopened" in read(LOG), "the log again")
    echo()
    expect(main_pid() == pid, "it was restarted")


def read_only_log_directory_stops_no_echo():
    """echod starts and echoes with its log directory on a read-only file system"""
    as_installed()
    run("mount", "-t", "tmpfs", "-o", "size=64k,mode=750", "tmpfs", LOGS)
    try:
        run("chown", "echod:echod", LOGS)
        run("mount", "-o", "remount,ro", LOGS)
        journal = Journal()
        systemctl("start", "echod.service")
        echo()
        journal.wait_for("cannot write the log file .*[Rr]ead-only")
        expect(show("ActiveState") == "active", "the service did not stay active")
    finally:
        as_installed()


CHECKS = [log_can_be_followed, rotation_loses_no_line, rotation_needs_no_valid_configuration,
          daily_rotation_accepts_it, log_that_has_grown_is_rotated_before_its_day, too_few_open_files_are_refused,
          open_files_can_be_lowered_and_raised, shipped_limit_is_the_hard_one, ulimit_bounds_it_in_a_shell,
          full_disk_stops_no_echo, unwritable_log_directory_stops_no_echo, read_only_log_directory_stops_no_echo]

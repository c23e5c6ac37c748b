"""Helpers for what an operator does: commands, systemd, the configuration, the logs. All raise a Failure that says what
was expected and what happened."""

import os
import re
import shutil
import subprocess
import time

CONFIG = "/etc/echod.toml"
EXAMPLE = "/usr/share/doc/echod/examples"
SERVICE_DROP_INS = "/etc/systemd/system/echod.service.d"
SOCKET_DROP_INS = "/etc/systemd/system/echod.socket.d"
LOGS = "/var/log/echod"
LOG = LOGS + "/network-server.log"


class Failure(Exception):
    """A check has failed."""


def expect(condition, text):
    if not condition:
        raise Failure(text)


def wait_until(condition, what, timeout_s=10):
    """Calls condition() until it returns a true value, and returns that value."""
    deadline = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        expect(time.monotonic() < deadline, f"not within {timeout_s} s: {what}")
        time.sleep(0.05)


def run(*command, may_fail=False, timeout_s=180):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=timeout_s, check=False)
    expect(may_fail or result.returncode == 0,
           f"{' '.join(command)}: ended with {result.returncode}: {result.stdout.strip()[-300:]}")
    return result


def systemctl(*arguments, may_fail=False):
    return run("systemctl", *arguments, may_fail=may_fail)


def show(prop, unit="echod.service"):
    return systemctl("show", "--value", "--property", prop, unit).stdout.strip()


def main_pid():
    return int(show("MainPID"))


def status_text():
    return show("StatusText")


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def configure(added="", **values):
    """Writes the shipped configuration with these keys changed: the first line of each, so port is that of [[listen]].
    `added` comes at the end.
    """
    text = read(f"{EXAMPLE}/echod.toml")
    for key, value in values.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text, count=1)
        expect(count == 1, f"no line of the shipped configuration sets {key}")
    write(CONFIG, text + added)


def drop_in(text, unit="echod.service", name="test.conf"):
    write(f"/etc/systemd/system/{unit}.d/{name}", text)
    systemctl("daemon-reload")


def use_example(name):
    os.makedirs(SERVICE_DROP_INS, exist_ok=True)
    shutil.copy(f"{EXAMPLE}/{name}", SERVICE_DROP_INS)
    systemctl("daemon-reload")


def as_installed():
    """Stops echod and undoes what a check has changed."""
    systemctl("stop", "echod.socket", "echod.service", may_fail=True)
    systemctl("disable", "echod.socket", may_fail=True)
    for directory in (SERVICE_DROP_INS, SOCKET_DROP_INS):
        shutil.rmtree(directory, ignore_errors=True)
    systemctl("daemon-reload")
    systemctl("reset-failed", "echod.socket", "echod.service", may_fail=True)
    run("umount", LOGS, may_fail=True)
    shutil.copy(f"{EXAMPLE}/echod.toml", CONFIG)


def start(**config):
    """Starts echod with the shipped unit, and the shipped configuration with these keys changed."""
    as_installed()
    configure(**config)
    systemctl("start", "echod.service")


class Journal:
    """What echod, and systemd about echod, wrote to the journal since this object was created."""

    def __init__(self):
        shown = run("journalctl", "--quiet", "--lines=1", "--show-cursor", "--output=cat").stdout
        self.cursor = re.search(r"-- cursor: (\S+)", shown).group(1)

    def text(self):
        run("journalctl", "--sync", may_fail=True)
        return run("journalctl", "--quiet", "--output=cat", f"--after-cursor={self.cursor}", "--unit=echod.service",
                   "--unit=echod.socket").stdout

    def wait_for(self, pattern, timeout_s=10):
        return wait_until(lambda: re.search(pattern, self.text()), f"a line /{pattern}/ in the journal", timeout_s)


class Log:
    """What was added to network-server.log since this object was created."""

    def __init__(self):
        self.offset = os.path.getsize(LOG) if os.path.exists(LOG) else 0

    def text(self):
        if not os.path.exists(LOG):
            return ""
        with open(LOG, "rb") as file:
            file.seek(self.offset)
            return file.read().decode("utf-8", "replace")

    def wait_for(self, pattern, timeout_s=10):
        return wait_until(lambda: re.search(pattern, self.text()), f"a line /{pattern}/ in {LOG}", timeout_s)


def restarts():
    return int(show("NRestarts"))


def exposure():
    """The score of `systemd-analyze security`: 0 is best, 10 worst."""
    shown = run("systemd-analyze", "security", "--no-pager", "echod.service", may_fail=True).stdout
    found = re.search(r"Overall exposure level for echod\.service: ([0-9.]+)", shown)
    expect(found, f"systemd-analyze security gave no score: {shown.strip()[-200:]}")
    return float(found.group(1))


def capabilities(pid):
    """The effective capabilities of the process, as a number."""
    return int(re.search(r"CapEff:\s*([0-9a-f]+)", read(f"/proc/{pid}/status")).group(1), 16)


def backlog(port):
    """The backlog of the listening socket, as the kernel reports it."""
    shown = run("ss", "--listening", "--tcp", "--numeric", "--no-header", f"sport = :{port}").stdout.split()
    expect(len(shown) > 2, f"nothing listens on port {port}")
    return int(shown[2])

"""Install, upgrade, remove, purge."""

import glob
import os
import re

from machine import CONFIG, EXAMPLE, LOGS, as_installed, expect, main_pid, read, run, show, start, systemctl, write
from peers import echo, is_refused

PATHS = {"debs": "", "source": ""}  # Set by in_guest.


def packages(is_previous):
    """Files of echod and echoload, of this build or of the one with the older version."""
    files = [file for file in glob.glob(PATHS["debs"] + "/*.deb")
             if "-dbgsym_" not in file and ("~1_" in file) == is_previous]
    expect(len(files) == 2, f"two packages expected, there are {files}")
    return files


def install(files):
    run("apt-get", "install", "--yes", "--no-install-recommends", *files)


def installed_version():
    return run("dpkg-query", "--show", "--showformat=${Version}", "echod").stdout


def lintian_is_content():
    """lintian has neither errors nor warnings"""
    tags = [line for line in read(PATHS["debs"] + "/lintian.txt").splitlines() if re.match("[EW]: ", line)]
    expect(not tags and not os.path.exists(PATHS["debs"] + "/lintian.failed"),
           f"{len(tags)} tags, the first: {(tags or ['none; lintian itself failed'])[0]}")


def install_starts_it():
    """installing the package makes the user, starts and enables the service, and leaves the socket alone"""
    install(packages(is_previous=True))
    expect(show("ActiveState") == "active", f"echod.service is {show('ActiveState')}")
    expect(systemctl("is-enabled", "echod.service").stdout.strip() == "enabled", "echod.service is not enabled")
    socket_state = systemctl("is-enabled", "echod.socket", may_fail=True).stdout.strip()
    expect(socket_state == "disabled", f"echod.socket is {socket_state}")
    expect(show("ActiveState", "echod.socket") == "inactive", "echod.socket is active")
    expect("nologin" in run("getent", "passwd", "echod").stdout, "the user echod can log in")
    expect(CONFIG in run("dpkg-query", "--show", "--showformat=${Conffiles}", "echod").stdout,
           f"{CONFIG} is not a configuration file of the package")
    echo()
    return installed_version()


def upgrade_keeps_configuration():
    """an upgrade restarts the service and keeps the edited configuration"""
    start(port=2010)
    text = "# The operator's.\n" + read(CONFIG)
    write(CONFIG, text)
    before, pid = installed_version(), main_pid()
    install(packages(is_previous=False))
    expect(installed_version() != before, f"still {before}")
    expect(read(CONFIG) == text, f"{CONFIG} was changed")
    expect(main_pid() not in (0, pid), "the service was not restarted")
    echo(port=2010)
    as_installed()
    return f"{before} to {installed_version()}"


def what_belongs_to_it_is_there():
    """manual pages, completions, examples and the schemas of echoload's output are installed"""
    files = run("dpkg", "--listfiles", "echod", "echoload").stdout
    for name in ("man8/echod.8.gz", "man5/echod.toml.5.gz", "man1/echoload.1.gz", "completions/echod",
                 "completions/echoload", "examples/echod.toml", "examples/port-7.conf",
                 "examples/socket-activated.conf", "doc/echod/operations.md", "logrotate.d/echod",
                 "sysusers.d/echod.conf", "echoload-run.schema.json"):
        expect(re.search(rf"(?m)/{re.escape(name)}(\.gz)?$", files), f"no {name}")
    for program in ("echod", "echoload"):
        run("bash", "-c", f". /usr/share/bash-completion/completions/{program} && complete -p {program}")
    expect(read(f"{EXAMPLE}/echod.toml") == read(CONFIG), "the example is not the configuration that was installed")


def units_are_sound():
    """systemd has nothing to say against the units"""
    shown = run("systemd-analyze", "verify", "--man=no", "echod.service", "echod.socket", may_fail=True)
    lines = [line for line in shown.stdout.splitlines() if "echod" in line]
    expect(not lines, (lines or [""])[0])


def autopkgtest_passes():
    """the test that comes with the package (autopkgtest) passes"""
    start()
    run(PATHS["source"] + "/packaging/debian/tests/echo", timeout_s=300)


def remove_stops_it():
    """removing the package stops the service and keeps configuration and logs"""
    start()
    echo()
    run("apt-get", "remove", "--yes", "echod")
    expect(is_refused(), "somebody still listens on its port")
    expect(os.path.exists(CONFIG), f"{CONFIG} is gone")
    expect(os.listdir(LOGS), "the logs are gone")


def purge_leaves_nothing():
    """purging it removes configuration, logs and user"""
    run("apt-get", "purge", "--yes", "echod")
    for path in (CONFIG, LOGS, "/etc/logrotate.d/echod"):
        expect(not os.path.exists(path), f"{path} is still there")
    expect(run("getent", "passwd", "echod", may_fail=True).returncode != 0, "the user is still there")
    expect(show("LoadState") == "not-found", f"echod.service is {show('LoadState')}")


FIRST = [lintian_is_content, install_starts_it, upgrade_keeps_configuration, what_belongs_to_it_is_there,
         units_are_sound, autopkgtest_passes]
LAST = [remove_stops_it, purge_leaves_nothing]

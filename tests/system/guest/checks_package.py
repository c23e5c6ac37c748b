"""Install, upgrade, remove, purge."""

import glob
import os
import re

from guest_commands import (CONFIG, EXAMPLE, LOGS, as_installed, expect, main_pid, read, run, show, start, systemctl,
                            use_example, write)
from peers import Load, echo, is_refused
from repackaging import PATHS, PROGRAM, installed_version, packages, repackaged

PREVIOUS = "# Of the previous version.\n"


def previous_packages():
    """The package files of the older version, changed to contain a different /etc/echod.toml."""
    def change(tree):
        if os.path.exists(tree + CONFIG):
            write(tree + CONFIG, read(tree + CONFIG) + PREVIOUS)
    return [repackaged(file, "", change) for file in packages(is_previous=True)]


def apt_install(files, *options):
    return run("apt-get", "install", "--yes", "--no-install-recommends", *options, *files).stdout


def lintian_finds_nothing():
    """lintian reports no errors and no warnings"""
    tags = [line for line in read(PATHS["debs"] + "/lintian.txt").splitlines() if re.match("[EW]: ", line)]
    expect(not tags and not os.path.exists(PATHS["debs"] + "/lintian.failed"),
           f"{len(tags)} tags, the first: {(tags or ['none; lintian itself failed'])[0]}")


def install_starts_it():
    """installing the package creates the user, starts and enables the service, and does not enable the socket"""
    apt_install(previous_packages())
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
    """apt upgrades the service in place, keeps the edited configuration, and installs the new one as .dpkg-dist"""
    start(port=2010)
    text = "# The operator's.\n" + read(CONFIG)
    write(CONFIG, text)
    before, pid = installed_version(), main_pid()
    printed = apt_install(packages(), "--option", "Dpkg::Options::=--force-confold")
    expect(installed_version() != before, f"still {before}")
    expect(read(CONFIG) == text, f"{CONFIG} was changed")
    expect(read(CONFIG + ".dpkg-dist") == read(f"{EXAMPLE}/echod.toml"), "the new configuration is not the example")
    expect("echod: reloading echod.service" in printed, f"the installation said: {printed[-300:]}")
    expect(main_pid() == pid and os.readlink(f"/proc/{pid}/exe") == PROGRAM, "the service does not run the new program")
    echo(port=2010)
    as_installed()
    return f"{before} to {installed_version()}"


def upgrade_refuses_no_connection():
    """with echod.socket, downgrade and upgrade under load refuse no connection and replace an unedited configuration"""
    as_installed()
    systemctl("start", "echod.socket", "echod.service")
    load, pid = Load(pause_s=0.01), main_pid()
    for files, options, end in ((previous_packages(), ["--allow-downgrades"], PREVIOUS),
                                (packages(), [], read(CONFIG))):
        load.wait_for(100)
        apt_install(files, *options)
        expect(main_pid() == pid and os.readlink(f"/proc/{pid}/exe") == PROGRAM, "the new program does not run")
        expect(read(CONFIG).endswith(end), f"{CONFIG} is not that of {installed_version()}")
    load.wait_for(100)
    load.stop()
    return f"{load.echoed} connections"


def all_files_are_installed():
    """manual pages, completions, examples and the schemas of echoload's output are installed"""
    files = run("dpkg", "--listfiles", "echod", "echoload").stdout
    for name in ("man8/echod.8.gz", "man5/echod.toml.5.gz", "man1/echoctl.1.gz", "man1/echoload.1.gz", "bin/echoctl",
                 "completions/echoctl", "completions/echod", "completions/echoload", "examples/echod.toml",
                 "examples/port-7.conf", "examples/socket-activated.conf", "examples/monitoring/alerts.yml",
                 "examples/monitoring/grafana-dashboard.json", "doc/echod/operations.md", "logrotate.d/echod",
                 "sysusers.d/echod.conf", "echoload-run.schema.json"):
        expect(re.search(rf"(?m)/{re.escape(name)}(\.gz)?$", files), f"no {name}")


def completions_of(*words):
    """The completions that bash offers when TAB is pressed after the last of these words."""
    line = " ".join(words)
    script = f""". /usr/share/bash-completion/bash_completion
        . /usr/share/bash-completion/completions/{words[0]}
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1} COMP_LINE='{line}' COMP_POINT={len(line)}
        _{words[0]} && echo "${{COMPREPLY[@]}}\""""
    return run("bash", "-c", script).stdout.split()


def completions_complete():
    """in bash, TAB completes the options of echod, echoctl and echoload and their values"""
    for words, wanted in ((("echod", "--check-c"), ["--check-config"]), (("echod", "--log-level", "w"), ["warning"]),
                          (("echoctl", "conn"), ["connections"]), (("echoctl", "log-level", "w"), ["warning"]),
                          (("echoctl", "--socket", "x", "top", "--int"), ["--interval"]),
                          (("echoload", "--mod"), ["--mode"]), (("echoload", "--mode", "s"), ["stream"])):
        offered = completions_of(*words)
        expect(offered == wanted, f"{' '.join(words)}: {offered} instead of {wanted}")


def units_are_sound():
    """systemd-analyze verify accepts the units and the drop-ins"""
    as_installed()
    use_example("port-7.conf")
    use_example("socket-activated.conf")
    shown = run("systemd-analyze", "verify", "--man=no", "echod.service", "echod.socket", may_fail=True)
    lines = [line for line in shown.stdout.splitlines() if "echod" in line]
    expect(not lines, (lines or [""])[0])


def autopkgtest_passes():
    """the tests of the package (autopkgtest) pass, and their dependencies are installed"""
    start()
    directory = PATHS["source"] + "/packaging/debian/tests"
    control = dict(line.split(": ", 1) for line in read(f"{directory}/control").splitlines())
    run("dpkg-query", "--show", *control["Depends"].split(", "))
    for test in control["Tests"].split(", "):
        run(f"{directory}/{test}", timeout_s=300)


def remove_stops_it():
    """removing the package under load stops service and socket, and keeps configuration and logs"""
    as_installed()
    systemctl("enable", "--now", "echod.socket")
    load = Load(pause_s=0.01)
    load.wait_for(100)
    run("apt-get", "remove", "--yes", "echod")
    load.leave()
    expect(is_refused(), "the port is still open")
    for unit in ("echod.service", "echod.socket"):
        expect(show("ActiveState", unit) == "inactive", f"{unit} is {show('ActiveState', unit)}")
    expect(os.path.exists(CONFIG), f"{CONFIG} is gone")
    expect(os.listdir(LOGS), "the logs are gone")


def purge_leaves_nothing():
    """purging the package removes configuration, logs, user, group, and the links that enable the units"""
    run("usermod", "--append", "--groups", "echod", "games")
    run("apt-get", "purge", "--yes", "echod")
    left = [path for pattern in (CONFIG + "*", LOGS, "/etc/logrotate.d/echod", "/etc/systemd/system/*.wants/echod.*")
            for path in glob.glob(pattern)]
    expect(not left, f"{left} is still there")
    for database in ("passwd", "group"):
        expect(run("getent", database, "echod", may_fail=True).returncode != 0, f"echod is still in {database}")
    expect(show("LoadState") == "not-found", f"echod.service is {show('LoadState')}")


FIRST = [lintian_finds_nothing, install_starts_it, upgrade_keeps_configuration, upgrade_refuses_no_connection,
         all_files_are_installed, completions_complete, units_are_sound, autopkgtest_passes]
LAST = [remove_stops_it, purge_leaves_nothing]

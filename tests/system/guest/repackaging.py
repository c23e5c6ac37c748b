"""Packages of echod made of this build's package with one thing changed, and their installation."""

import glob
import os
import re
import shutil

from guest_commands import expect, read, run, write

PROGRAM = "/usr/sbin/echod"
UNIT = "/lib/systemd/system/echod.service"
PATHS = {"debs": "", "source": ""}  # Set by in_guest.
WORK = "/tmp/repackaged"


def packages(is_previous=False):
    """The package files of echod and echoload: of this build, or of the build with the older version."""
    files = [file for file in glob.glob(PATHS["debs"] + "/*.deb")
             if "-dbgsym_" not in file and ("~1_" in file) == is_previous]
    expect(len(files) == 2, f"two packages expected, there are {files}")
    return files


def repackaged(file, suffix, change):
    """Returns a package with `suffix` at the end of its version, and with what change(tree) has changed."""
    tree = f"{WORK}/{suffix or 'same'}"
    shutil.rmtree(tree, ignore_errors=True)
    os.makedirs(WORK, exist_ok=True)
    run("dpkg-deb", "--raw-extract", file, tree)
    control = re.sub(r"(?m)^(Version: .*)$", rf"\g<1>{suffix}", read(tree + "/DEBIAN/control"))
    write(tree + "/DEBIAN/control", control)
    change(tree)
    run("dpkg-deb", "--build", "-Znone", tree, WORK)
    shutil.rmtree(tree)
    package, version, architecture = (re.search(rf"(?m)^{field}: (.*)$", control).group(1)
                                      for field in ("Package", "Version", "Architecture"))
    return f"{WORK}/{package}_{version}_{architecture}.deb"


def new_package(suffix, change=lambda tree: None):
    """repackaged() of echod's package of this build."""
    return repackaged(next(file for file in packages() if "/echod_" in file), suffix, change)


def name_version(version):
    """Returns a change that lets the program say this version, which must be as long as that of this build."""
    def change(tree):
        old = installed_program_version().encode()
        expect(len(version) == len(old), f"{version} is not as long as {old.decode()}")
        replace_program(tree, lambda program: program.replace(old, version.encode()))
    return change


def replace_program(tree, change):
    """Replaces the program in the tree by what change() makes of its bytes."""
    with open(tree + PROGRAM, "rb") as file:
        program = file.read()
    with open(tree + PROGRAM, "wb") as file:
        file.write(change(program))


def wrap_program(script):
    """Returns a change that puts a shell script in the program's place. The program moves to /usr/lib/echod."""
    def change(tree):
        os.makedirs(tree + "/usr/lib/echod")
        os.rename(tree + PROGRAM, tree + "/usr/lib/echod/echod")
        write(tree + PROGRAM, script)
        os.chmod(tree + PROGRAM, 0o755)
    return change


def change_unit(old, new):
    """Returns a change that replaces a text in echod.service."""
    def change(tree):
        path = tree + UNIT if os.path.exists(tree + UNIT) else tree + "/usr" + UNIT
        text = read(path)
        expect(old in text, f"the unit has no {old}")
        write(path, text.replace(old, new))
    return change


def install(*files):
    """Installs packages as apt does, but faster: without a search for dependencies, and without waiting for the disk.
    Returns what the installation printed."""
    return run("dpkg", "--install", "--force-confold", "--force-unsafe-io", *files).stdout


def installed_version():
    return run("dpkg-query", "--show", "--showformat=${Version}", "echod").stdout


def installed_program_version():
    return run(PROGRAM, "--version").stdout.split()[-1]

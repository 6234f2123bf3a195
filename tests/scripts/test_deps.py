# SPDX-License-Identifier: GPL-2.0-only
"""deps.sh where packages cannot be installed."""

import shutil

import pytest

from helpers import SCRIPTS, fails
from interrupting import HOLDER, interrupted

DEPS = ["/bin/sh", SCRIPTS / "deps.sh"]


def test_without_dpkg(programs):
    """Another distribution."""
    programs.link("sh", "tr")
    fails([*DEPS, "run"], "not Debian or Ubuntu: install", env=programs.env())


@pytest.mark.parametrize("sudo, pattern", [
    (None, "without root, run as root: apt-get install .* sparse"),
    ("exit 1\n", "without a password, run: sudo apt-get install"),
], ids=["no_sudo", "sudo_asks"])
def test_without_root(programs, sudo, pattern):
    """No root, and no sudo, or one that asks for a password."""
    programs.link("sh", "tr").write("id", "echo 1000\n").write("dpkg-query", "exit 1\n")
    if sudo:
        programs.write("sudo", sudo)
    fails([*DEPS, "check"], pattern, env=programs.env())


def missing(programs):
    """Packages are missing, and root wants them."""
    programs.link("sh", "tr", "mkdir", "dirname", "date", "env", "grep")
    programs.write("id", "echo 0\n").write("dpkg-query", "exit 1\n")


def test_without_network(programs):
    """No network."""
    missing(programs)
    programs.write("apt-get", "echo 'E: Could not resolve host' >&2; exit 100\n")
    fails([*DEPS, "run"], "is there a network\\?.*apt-get install", env=programs.env())


def test_malformed():
    """Dependencies of nothing."""
    fails([*DEPS, "frobnicate"], "", status=2)


def test_interrupted(programs):
    """Ctrl-C on a terminal while packages are installed."""
    script, env = shutil.which("script"), shutil.which("env")
    if not script:
        pytest.skip("no script, to have a terminal")

    def press(process):
        process.stdin.write(b"\x03")
        process.stdin.flush()

    missing(programs)
    programs.link("find", "sleep", "flock", "touch")
    programs.write("apt-get", HOLDER.format(programs.directory) + "\n")
    interrupted([script, "-q", "-e", "-c",
                 f"{env} PATH={programs.directory} sh {SCRIPTS}/deps.sh run", "/dev/null"],
                programs.directory, press, "\ndeps: interrupted\\r\\n$", 130)

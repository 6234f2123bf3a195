# SPDX-License-Identifier: GPL-2.0-only
"""Runs the scripts as a user does, and looks at what they say."""

import os
import re
import subprocess
import sys

from lib import common

SCRIPTS = common.ROOT / "scripts"


def library(name, *arguments):
    """The command that is a module of scripts/."""
    return [sys.executable, "-m", name, *arguments]


def environment(env=None):
    """That of a user who has set nothing but this."""
    ours = {name: value for name, value in os.environ.items()
            if name not in ("QEMU", "MAKEFLAGS", "MAKELEVEL", "MFLAGS")}
    return {**ours, "PYTHONPATH": str(SCRIPTS), **(env or {})}


def call(command, env=None):
    """Status of a command, and what it said, on standard error if anything."""
    done = subprocess.run([str(word) for word in command], env=environment(env),
                          stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8",
                          check=False, timeout=120, cwd=common.ROOT)
    return done.returncode, done.stderr or done.stdout


def fails(command, pattern, status=1, env=None):
    """A command must fail with one line, the last, that matches."""
    code, text = call(command, env)
    # Below make, make adds its own.
    lines = [line for line in text.splitlines()
             if line.strip() and not line.startswith("make: ***")]
    assert "Traceback" not in text, text
    assert code == status, text
    assert re.search(pattern, lines[-1] if lines else ""), text


def fails_told(command, pattern, env=None):
    """The same, of a command that tells the reason on standard output, after other lines."""
    done = subprocess.run([str(word) for word in command], env=environment(env), check=False,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding="utf-8", cwd=common.ROOT)
    assert done.returncode == 1, done.stdout
    assert re.search(pattern, done.stdout.strip().splitlines()[-1]), done.stdout

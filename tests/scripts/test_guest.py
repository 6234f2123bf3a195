# SPDX-License-Identifier: GPL-2.0-only
"""`make run` and guests that cannot be started."""

import sys
from pathlib import Path

import pytest

from helpers import SCRIPTS, fails, fails_told

RUN = SCRIPTS / "run.py"


def test_kernel_unknown():
    """`make run` with a kernel that does not exist."""
    fails([RUN, "--kernel", "2.4"], "no stock kernel '2.4'.*choose one of")


@pytest.mark.parametrize("said, code, device, pattern", [
    ("", 0, "channels", "DEVICE=channels is no list of properties: give"),
    ("", 0, "channels=1,,x=2", "DEVICE=channels=1,,x=2 is no list of properties"),
    ("", 0, "", "QEMU=.*: this is no qemu-system-x86_64"),
    ("", 3, "", "QEMU=.*: it ends with status 3"),
    ("qemu: Property 'loopdma.frob' not found", 1, "frob=1",
     "DEVICE=frob=1: qemu: Property 'loopdma.frob' not found"),
    ("'loopdma' is not a valid device model name", 1, "channels=1",
     "QEMU=.*: it has no loopdma device .*; unset QEMU"),
], ids=["no_value", "empty", "silent", "status", "property", "no_device"])
def test_device_refused(programs, said, code, device, pattern):
    """A device that there cannot be, told before anything is built."""
    # It says what a QEMU says, which is not at hand without building it.
    programs.write("qemu", f'echo "{said}" >&2\nexit {code}\n')
    fails_told([RUN, "--device-opts", device], f"^loopdma: FAIL: {pattern}",
               {"QEMU": str(programs.directory / "qemu")})


def test_qemu_missing():
    """A QEMU that does not exist."""
    fails([sys.executable, "-c", "from lib import common; common.main(common.qemu)"],
          "QEMU=/nonexistent is not a program: unset QEMU", env={"QEMU": "/nonexistent"})


def test_tool_missing(programs):
    """No lspci to put in the guest."""
    programs.link("ldd", "bash")
    if any(Path(directory, "lspci").exists() for directory in ("/usr/sbin", "/sbin")):
        pytest.skip("lspci is in /usr/sbin, where it is found without PATH")
    fails([sys.executable, "-c", "from lib import common, guest; common.main(guest.lspci)"],
          "lspci is missing: run 'make deps'", env=programs.env())

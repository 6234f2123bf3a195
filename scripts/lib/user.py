# SPDX-License-Identifier: GPL-2.0-only
"""Programs that use dmaengine_user."""

from lib import common

UAPI = common.ROOT / "include" / "uapi"
TOOLS = common.ROOT / "drivers" / "dma" / "user" / "tools"
LIBRARY = (TOOLS / "dmau.c", TOOLS / "dmau.h", UAPI / "linux" / "dmaengine_user.h")


def program(source, *flags):
    """One of them, with the library, static for any guest."""
    return common.program(source, f"-I{UAPI}", f"-I{TOOLS}", "-static", *flags, more=LIBRARY)


def dmacp():
    """The command that copies a file."""
    return program(TOOLS / "dmacp.c")


def bench():
    """What measures how fast user programs have a channel copy."""
    return program(common.ROOT / "tests" / "user" / "user-bench.c", "-luring")


def fuzz():
    """What makes calls at random."""
    return program(common.ROOT / "tests" / "user" / "user-fuzz.c", "-luring", "-pthread")


def test():
    """What the lane user runs."""
    return program(common.ROOT / "tests" / "user" / "user-test.c", "-luring")

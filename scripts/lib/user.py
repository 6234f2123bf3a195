# SPDX-License-Identifier: GPL-2.0-only
"""Programs that use dmaengine_user."""

from lib import common

UAPI = common.ROOT / "include" / "uapi"
TOOLS = common.ROOT / "drivers" / "dma" / "user" / "tools"
TESTS = common.ROOT / "tests" / "user"
LIBRARY = (TOOLS / "dmau.c", TOOLS / "dmau.h", UAPI / "linux" / "dmaengine_user.h",
           TESTS / "pinned.h", TESTS / "uring.h")


def program(source, *flags, **options):
    """One of them, with the library, static for any guest."""
    return common.program(source, f"-I{UAPI}", f"-I{TOOLS}", "-static", *flags, more=LIBRARY,
                          **options)


def dmacp(**options):
    """The command that copies a file."""
    return program(TOOLS / "dmacp.c", **options)


def bench():
    """What measures how fast user programs have a channel copy."""
    return program(TESTS / "user-bench.c", "-luring")


def fuzz():
    """What makes calls at random."""
    return program(TESTS / "user-fuzz.c", "-luring", "-pthread")


def test(*flags, **options):
    """What the lane user runs."""
    return program(TESTS / "user-test.c", *flags, "-luring", **options)

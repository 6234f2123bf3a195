# SPDX-License-Identifier: GPL-2.0-only
"""The conformance suites over other providers, of machines that QEMU has.

Each runs on the newest kernel, with KASAN, lockdep and the checks of the DMA API.  What is
known to fail there is in tests/conformance/known/, with whose fault it is; a task fails if a
case fails that is not known to, and if one passes that is.  The task "null" is a control: a
provider that completes all and moves nothing.
"""

from lib import needs, provider
from lib.lane import Task

# Those of machines.py whose results somebody has judged.
MACHINES = ("xlnx-zcu102", "sifive_u")


def run(name):
    return provider.judged(name, provider.run(provider.target_of(name)))


def tasks():
    return [Task("null", lambda: run("null"), (needs.kunit_kernel,), full=True)] + [
        Task(name, lambda name=name: run(name), (needs.kernel_source,), full=True)
        for name in MACHINES]

# SPDX-License-Identifier: GPL-2.0-only
"""The conformance suites over other providers, of machines that QEMU has.

Each runs on the newest kernel, with KASAN, lockdep and the checks of the DMA API.  What is
known to fail there is in tests/conformance/known/, with whose fault it is; a task fails if a
case fails that is not known to, and if one passes that is.  The tasks "null" and "lies" are
controls: a provider that completes all and moves nothing, and one that offers everything
besides and keeps few rules.
"""

import tempfile
from pathlib import Path

from lib import conformance, machines, needs, provider, series
from lib.case import Case
from lib.lane import Task


def run(name):
    results = provider.run(provider.target_of(name))
    provider.keep(name, results)
    return provider.judged(name, results)


def series_tried():
    """The suites as a series for the kernel's tree: they apply, are clean, build and run."""
    with tempfile.TemporaryDirectory() as directory:
        said = series.tried(series.write(Path(directory) / "series",
                                         ("A Developer", "developer@example.org")))
    names = {case.split(".")[0] for case in conformance.rules_and_cases()[1]}
    cases = [Case(f"series: {suite} ran", "PASS" if "SKIP" in rest else "FAIL",
                  "" if "SKIP" in rest else "passes without a device") for suite, rest in said]
    return cases + [Case(f"series: {name} ran", "FAIL", "kunit.py did not run it")
                    for name in names - {suite for suite, _ in said}]


def tasks():
    return [Task("series", series_tried, (needs.kernel_source,), full=True),
            *(Task(name, lambda name=name: run(name), (needs.kunit_kernel,), full=True)
              for name in provider.OURS)] + [
        Task(name, lambda name=name: run(name), (needs.kernel_source,), full=True)
        for name in machines.MACHINES if (provider.KNOWN / f"{name}.txt").exists()]

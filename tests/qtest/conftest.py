# SPDX-License-Identifier: GPL-2.0-only
"""The options, and what a case asks for by the name of an argument.

A case that takes `dev` gets the device of a machine that was started for it: @device
says which, and with @both it is one case without engines and one with them.  One that takes
`bench` starts machines as it likes.
"""

import os
import shutil
import signal

import pytest

from lib import common, guest
from qtest.lib import migration
from qtest.lib.qemu import Failed
from qtest.lib.suite import Bench, case_name, complaints, threaded


# From QEMU 10.0 on, what loads a stream is a coroutine that lets go of the BQL and takes
# it again (qemu_loadvm_thread_pool_wait()).  To ThreadSanitizer a coroutine is a thread of
# its own, which never had the lock; from then on it sees races wherever the lock is held.
UNSEEN = ("ThreadSanitizer takes what loads a stream in QEMU 10 for a thread without the BQL; "
          "the task qtest:thread bookworm runs this case on QEMU 7.2")


def pytest_addoption(parser):
    group = parser.getgroup("qtest", "the QEMU under test")
    group.addoption("--qemu", metavar="PATH", help="a QEMU that has the device, instead of "
                    "the one that scripts/build-qemu.sh builds")
    group.addoption("--sanitizer", choices=["address", "thread"], help="a QEMU that is built "
                    "with it; what it reports makes a case fail, and is kept in build/qtest/.  "
                    "With thread, only cases that may have engines")
    group.addoption("--release", metavar="CODENAME", help="a QEMU that is built from the "
                    "source of this release, for example bookworm")


def pytest_configure(config):
    """Has the QEMU built before the first case; workers are told of it."""
    # As Ctrl-C: it ends the QEMU of the case, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    option = config.option
    try:
        if option.qemu:
            if not shutil.which(option.qemu):
                raise common.Fail(f"--qemu {option.qemu} is not a program: give the path of one")
            option.qemu = shutil.which(option.qemu)
        elif not option.collectonly:
            option.qemu = common.build_qemu(common.ROOT, option.sanitizer, option.release) \
                if option.sanitizer or option.release else common.qemu()
    except common.Fail as e:
        raise pytest.UsageError(str(e)) from None
    if option.sanitizer == "thread" and not option.collectonly and \
            guest.release(option.qemu) >= (10, 0):
        migration.cannot_load = UNSEEN


def pytest_report_header(config):
    return f"QEMU: {config.option.qemu}"


def pytest_itemcollected(item):
    """Lets -k find a case by its name as well: -k abort.fifo_empty.some."""
    item.extra_keyword_matches.add(case_name(item))


def pytest_collection_modifyitems(config, items):
    """Leaves those with threads of the device's, for ThreadSanitizer."""
    if config.option.sanitizer == "thread":
        config.hook.pytest_deselected(items=[item for item in items if not threaded(item)])
        items[:] = filter(threaded, items)


def pytest_runtest_makereport(item, call):
    """Tells the fixtures whether a case has come to its end, and well."""
    if call.when == "call":
        item.passed = call.excinfo is None


@pytest.fixture(scope="session")
def scratch(pytestconfig):
    """Where cases leave what QEMU says."""
    option = pytestconfig.option
    kept = "-".join(filter(None, (option.sanitizer, option.release)))
    path = common.BUILD / "qtest" / (f"qtest-{kept}" if kept else str(os.getpid()))
    yield path
    # What a sanitizer has reported, and QEMU has said, is worth to be looked at.
    if not kept:
        shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def bench(request, scratch):
    directory = scratch / case_name(request.node)
    shutil.rmtree(directory, ignore_errors=True)
    made = Bench(request.config.option.qemu, directory)
    yield made
    passed = getattr(request.node, "passed", False)
    reasons = []
    try:
        if passed:
            made.quit()
    except Failed as e:
        reasons = [str(e)]
    reasons += complaints(made.reports())
    if reasons or not passed:
        made.tell()
    made.kill()
    if reasons:
        pytest.fail("\n".join(reasons), pytrace=False)
    if passed:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def dev(request, bench):
    mark = request.node.get_closest_marker("device")
    options = dict(mark.kwargs) if mark else {}
    if hasattr(request, "param"):
        options["mode"] = request.param
    try:
        return bench.device(*(mark.args if mark else ()), **options)
    except Failed:
        bench.tell()
        raise

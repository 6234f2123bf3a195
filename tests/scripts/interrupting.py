# SPDX-License-Identifier: GPL-2.0-only
"""Interrupts commands, and looks at what they leave behind."""

import re
import signal
import subprocess
import time

from helpers import environment
from lib import common

# Has a lock for as long as it lives.
HOLDER = "exec 8>{0}/lock; flock 8; touch {0}/started; exec sleep 1000"


LEFT = "it leaves a process behind, which has a lock"


def until(condition, otherwise):
    """Waits for something that must happen."""
    limit = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < limit, otherwise
        time.sleep(0.05)


def hears():
    """What a shell starts in the background is deaf to Ctrl-C, and so is its offspring.

    What nohup starts is deaf to a terminal that is closed.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def interrupted(command, directory, interrupt, pattern, status, env=None):
    """A command must end soon after interrupt(process), and with it all it has started.

    It is to start a HOLDER in the directory.
    """
    with subprocess.Popen([str(word) for word in command], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          preexec_fn=hears, env=environment(env),
                          cwd=common.ROOT) as process:
        started = directory / "started"
        limit = time.monotonic() + 60
        while not started.exists() and process.poll() is None and time.monotonic() < limit:
            time.sleep(0.05)
        there = started.exists()
        if there:
            interrupt(process)
        else:
            process.kill()
        try:
            text = process.communicate(timeout=60)[0].decode()
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert there, f"it starts nothing: {text}"
    with open(directory / "lock", "w", encoding="ascii") as f:
        assert common.try_lock(f), LEFT
    assert "Traceback" not in text, text
    assert process.returncode == status, text
    assert re.search(pattern, text), text

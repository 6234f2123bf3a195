# SPDX-License-Identifier: GPL-2.0-only
"""The cache, the disk it is on, and the end of a script."""

import os
import pty
import shutil
import signal
import subprocess
import sys
import time

import pytest

from helpers import SCRIPTS, call, environment, fails, library
from interrupting import HOLDER, LEFT, hears, interrupted, until
from lib import common

LIST = library("lib.kernel", "list")


@pytest.mark.parametrize("env, pattern", [
    ({"LOOPDMA_CACHE": "/proc/loopdma"}, "cannot write to the cache .*: set LOOPDMA_CACHE"),
    ({"HOME": "/proc", "LOOPDMA_CACHE": "", "XDG_CACHE_HOME": ""},
     "cannot write to the cache /proc/"),
    ({"LOOPDMA_CACHE": "/tmp/a b"}, "a path without spaces"),
], ids=["not_writable", "home_not_writable", "with_space"])
def test_cache_bad(env, pattern):
    """A cache that cannot be written to, or where make cannot work."""
    fails(LIST, pattern, env=env)


def test_checkout_with_space(tmp_path):
    """A checkout where make cannot work."""
    top = tmp_path / "a b"
    for name in ("scripts", "tests/guest"):
        shutil.copytree(common.ROOT / name, top / name)
    fails([sys.executable, top / "scripts/run.py", "--kernel", "2.4"],
          "make cannot work in '.*a b': move the checkout",
          env={"PYTHONPATH": str(top / "scripts")})


def test_disk_full(tmp_path):
    """A cache without space."""
    if os.geteuid() or not shutil.which("unshare"):
        pytest.skip("needs root, to mount a file system of its own")
    if call(["unshare", "-m", "true"])[0]:
        pytest.skip("no mount name spaces here")
    # In a mount name space of its own it is gone with the command.
    script = (f"mount -t tmpfs -o size=64k tmpfs {tmp_path} && "
              f"dd if=/dev/zero of={tmp_path}/fill bs=4k 2>/dev/null; exec {' '.join(LIST)}")
    fails(["unshare", "-m", "sh", "-c", script], "no space left in .*: free some, or set "
          "LOOPDMA_CACHE", env={"LOOPDMA_CACHE": str(tmp_path)})


def test_file_of_another(tmp_path):
    """A file in the cache that another user has made."""
    if os.geteuid():
        pytest.skip("needs root, to be another user")
    # Another user must come as far as the file.
    for directory in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        directory.chmod(0o755)
    file = tmp_path / "file"
    file.touch(0o600)
    program = ("from lib import common\n"
               "import os, sys\n"
               "os.setuid(65534)\n"
               "common.main(lambda: open(sys.argv[1], 'w'))\n")
    fails([sys.executable, "-c", program, file],
          "/file: Permission denied: .*Change its owner, or remove it")


def test_cache_removed(tmp_path):
    """The cache is removed, but not while it is used, nor what is no cache."""
    cache = tmp_path / "cache"
    env = {"LOOPDMA_CACHE": str(cache)}
    clean = [SCRIPTS / "lib" / "clean-cache.sh"]
    cache.mkdir()
    fails(clean, "does not look like our cache", env=env)
    (cache / "locks").mkdir()
    with open(cache / "locks" / "a b.lock", "w", encoding="ascii") as f:
        common.try_lock(f)
        fails(clean, "another run is at work, it holds .*/a b.lock", env=env)
    assert call(clean, env) == (0, "")
    assert not cache.exists()


def test_cache_interrupted(tmp_path):
    """A run that is killed while it fills the cache."""
    program = ("from lib import common\n"
               "import os, pathlib\n"
               f"with common.filling(pathlib.Path({str(tmp_path)!r}) / 'entry') as part:\n"
               "    (part / 'file').touch()\n"
               "    {}\n")
    code, _ = call([sys.executable, "-c", program.format("os.kill(os.getpid(), 9)")])
    assert code == -signal.SIGKILL
    assert not (tmp_path / "entry").exists()
    assert call([sys.executable, "-c", program.format("pass")]) == (0, "")
    assert (tmp_path / "entry" / "file").exists()
    assert len(os.listdir(tmp_path)) == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP],
                         ids=lambda number: number.name)
def test_interrupted(tmp_path, number):
    """A signal to a script alone, which a child of its child outlives."""
    # What has no terminal may have been started deaf to some signals.
    program = ("from lib import common\n"
               "import signal, sys\n"
               "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
               "signal.signal(signal.SIGHUP, signal.SIG_DFL)\n"
               "common.main(lambda: common.run(['sh', '-c', sys.argv[1]]))\n")
    interrupted([sys.executable, "-c", program,
                 f"({HOLDER.format(tmp_path)}) & sleep 1000; true"], tmp_path,
                lambda process: process.send_signal(number),
                "^\\n-c: interrupted\\n$", 128 + number)


def test_interrupted_twice(tmp_path):
    """More signals while it ends what it has started, as when a terminal is closed."""
    program = ("from lib import common\n"
               "import sys\n"
               "common.main(lambda: common.run(['sh', '-c', sys.argv[1]]))\n")

    def interrupt(process):
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGHUP):
            process.send_signal(number)
            time.sleep(0.2)

    # The child does not end at once.
    interrupted([sys.executable, "-c", program,
                 f"trap '' TERM; {HOLDER.format(tmp_path)}"], tmp_path, interrupt,
                "^\\n-c: interrupted\\n$", 128 + signal.SIGHUP)


def test_terminal_gone(tmp_path):
    """A terminal that is closed, of which make only tells nobody, and waits."""
    program = ("from lib import common\n"
               "import sys\n"
               "common.main(lambda: common.run(['sh', '-c', sys.argv[1]]))\n")
    pid, terminal = pty.fork()
    if not pid:
        hears()
        # As make does, the shell hears of it, and waits for what it has started.
        os.execvpe("sh", ["sh", "-c", "trap : HUP; \"$@\"; :", "sh", sys.executable, "-c",
                          program, HOLDER.format(tmp_path)], environment())
    until(lambda: (tmp_path / "started").exists(), "it starts nothing")
    os.close(terminal)
    with open(tmp_path / "lock", "w", encoding="ascii") as f:
        until(lambda: common.try_lock(f), LEFT)
    os.waitpid(pid, 0)


def test_killed(tmp_path):
    """A script that is killed, and cannot end a program that it has started."""
    program = ("from lib import common\n"
               "import subprocess, sys\n"
               "subprocess.run([*common.MORTAL, 'sh', '-c', sys.argv[1]])\n")
    with subprocess.Popen([sys.executable, "-c", program, HOLDER.format(tmp_path)],
                          env=environment(), stdin=subprocess.DEVNULL) as process:
        until(lambda: (tmp_path / "started").exists(), "it starts nothing")
        process.kill()
    with open(tmp_path / "lock", "w", encoding="ascii") as f:
        until(lambda: common.try_lock(f), LEFT)

# SPDX-License-Identifier: GPL-2.0-only
"""What the scripts share: paths, the cache, progress, running commands.

A script raises Fail for what the user can act on; main() prints it as one
line.  Everything else is a bug and shows its traceback.
"""

import argparse
import contextlib
import ctypes
import errno
import fcntl
import functools
import hashlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
LOGS = BUILD / "logs"
REPORTS = BUILD / "reports"

# Steps that end sooner than this are not worth a moving clock.
TICK = 1.0


class Fail(Exception):
    """A failure in one line that says what to do about it."""


# --- output -------------------------------------------------------------------

# Lanes of a check run side by side: each sends its progress to its own log.
_out = threading.local()


def out():
    return getattr(_out, "stream", None) or sys.stderr


@contextlib.contextmanager
def output_to(stream):
    _out.stream = stream
    try:
        yield
    finally:
        _out.stream = None


def say(text):
    print(text, file=out(), flush=True)


def relative(path):
    """A path as a user would type it, from the top of the project."""
    path = Path(path)
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


@contextlib.contextmanager
def step(title):
    """Says what is being done, and for how long already."""
    stream = out()
    tty = stream.isatty() and os.environ.get("TERM") != "dumb"
    start = time.monotonic()
    stop = threading.Event()

    def clock():
        while not stop.wait(TICK):
            print(f"\r  {title} ... {time.monotonic() - start:.0f} s",
                  end="", file=stream, flush=True)

    ticker = threading.Thread(target=clock, daemon=True)
    print(f"  {title} ...", end="" if tty else "\n", file=stream, flush=True)
    if tty:
        ticker.start()
    verdict = "failed"
    try:
        yield
        verdict = "done"
    finally:
        stop.set()
        if tty:
            ticker.join()
        spent = time.monotonic() - start
        print(f"{chr(13) if tty else ''}  {title}: {verdict}, {spent:.1f} s",
              file=stream, flush=True)


# --- the cache ----------------------------------------------------------------

def cache():
    """The cache directory, made if need be."""
    name = os.environ.get("LOOPDMA_CACHE")
    if not name:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.join(
            os.path.expanduser("~"), ".cache")
        name = os.path.join(base, "loopdma")
    path = Path(name).absolute()
    if re.search(r"[\s:]", str(path)):
        raise Fail(f"make cannot work in '{path}': set LOOPDMA_CACHE to a "
                   "path without spaces and colons")
    # Whoever asks for the cache is about to build: better said before than after minutes.
    if re.search(r"[\s:]", str(ROOT)):
        raise Fail(f"make cannot work in '{ROOT}': move the checkout to a path without "
                   "spaces and colons")
    try:
        (path / "locks").mkdir(parents=True, exist_ok=True)
        usable = os.access(path, os.W_OK | os.X_OK) and \
            os.access(path / "locks", os.W_OK | os.X_OK)
    except OSError as e:
        if e.errno in NO_SPACE:
            raise
        usable = False
    if not usable:
        raise Fail(f"cannot write to the cache {path}: set LOOPDMA_CACHE to a "
                   "directory that you can write to")
    return path


def try_lock(f):
    """Takes the lock of an open file if nobody has it."""
    try:
        fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


@contextlib.contextmanager
def lock(name):
    """Keeps other runs, and other lanes of this one, out of a cache entry."""
    path = cache() / "locks" / f"{name}.lock"
    with open(path, "w", encoding="ascii") as f:
        patience = time.monotonic() + TICK
        while not (ours := try_lock(f)) and time.monotonic() < patience:
            time.sleep(TICK / 50)
        if not ours:
            with step(f"waiting for another run that holds {path}"):
                # Not in flock() itself, where only the main thread would hear of an end.
                while not try_lock(f):
                    if ending.is_set():
                        raise Fail("interrupted")
                    time.sleep(TICK / 5)
        yield


@contextlib.contextmanager
def filling(final):
    """A directory that becomes `final` only when its filling succeeds.

    To be used with the entry's lock held, so that leftovers with the same
    prefix are those of a run that was killed.
    """
    for old in final.parent.glob(f"{final.name}.part*"):
        shutil.rmtree(old, ignore_errors=True)
    part = final.with_name(f"{final.name}.part")
    part.mkdir(parents=True)
    try:
        yield part
        shutil.rmtree(final, ignore_errors=True)
        part.rename(final)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def write_atomically(path, text):
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8")
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


def digest(*parts):
    """A short key of everything a cached result depends on."""
    h = hashlib.sha256()
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        h.update(len(data).to_bytes(8, "little") + data)
    return h.hexdigest()[:12]


# --- commands -----------------------------------------------------------------

# A full disk, and a full share of it; what one may not write.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NO_PERMISSION = (errno.EACCES, errno.EPERM, errno.EROFS)

_NO_SPACE = re.compile(r"No space left on device|enough free space in|"
                       r"[Ww]rite error.*space|Disk quota exceeded")

# What ended a failed command is the first of these in its output, not the last
# line, which is some make saying that another make failed.
_TELLING = (re.compile(r"\b(fatal|[Ee]rror|ERROR|E:|undefined|can't)\b"),
            re.compile(r"\b([Ww]arning|WARNING|[Ff]ailed)\b"))
_MAKE_NOISE = re.compile(r"^(ERROR:root:)?(make(\[\d+\])?: (?!\*\*\* No rule)|ninja: )")


def reason_in(text):
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for pattern in _TELLING:
        for line in lines:
            if pattern.search(line) and not _MAKE_NOISE.match(line):
                return line
    return lines[-1] if lines else "no output"


def run(command, log=None, what=None, **kwargs):
    """Runs a command to its end, its output in a log; returns the output."""
    command = [str(word) for word in command]
    what = what or command[0]
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    env = dict(os.environ, LC_ALL="C.UTF-8", **kwargs.pop("env", {}))
    with contextlib.ExitStack() as files:
        if log:
            # Straight to the log, where a long step can be watched.
            log.parent.mkdir(parents=True, exist_ok=True)
            stream = files.enter_context(open(log, "a+b"))
            stream.write(f"$ {' '.join(command)}\n".encode())
            stream.flush()
        else:
            stream = files.enter_context(tempfile.TemporaryFile())
        start = stream.tell()
        try:
            code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT,
                                  env=env, check=False, **kwargs).returncode
        except FileNotFoundError as e:
            if e.filename == kwargs.get("cwd"):
                raise
            raise Fail(f"{command[0]} is missing: run 'make deps'") from None
        stream.seek(start)
        text = stream.read().decode("utf-8", "replace")
    if code:
        if lacks_space(text):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        where = f" (log: {relative(log)})" if log else ""
        raise Fail(f"{what} failed: {reason_in(text)}{where}")
    return text


def program(source, *flags, more=(), compiler="cc"):
    """A program for the host or a guest, compiled from a file, and more, if need be."""
    made = BUILD / "programs" / f"{source.stem}-{compiler}"
    made.parent.mkdir(parents=True, exist_ok=True)
    with lock(f"program-{digest(made)}"):
        if not made.exists() or any(made.stat().st_mtime < path.stat().st_mtime
                                    for path in (source, *more)):
            # Libraries, among the flags, come after what needs them.
            run([compiler, "-O2", "-Wall", "-Werror", "-o", made, source,
                 *(path for path in more if path.suffix == ".c"), *flags], what="compiler")
    return made


def files():
    """The files of the project: those committed, and those that would be."""
    try:
        text = run(["git", "ls-files", "-z", "--cached", "--others",
                           "--exclude-standard"], cwd=ROOT)
        names = set(text.split("\0")) - {""}
    except Fail:
        # A release archive has no git directory.
        names = {str(path.relative_to(ROOT)) for path in ROOT.rglob("*")
                 if not path.is_relative_to(BUILD)}
    return sorted(name for name in names if (ROOT / name).is_file())


def lacks_space(text):
    """Whether a command says in its output that a disk is full."""
    return bool(_NO_SPACE.search(text))


def new_log(name):
    """The path of a log, emptied of what an earlier run left in it."""
    path = LOGS / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("", encoding="utf-8")
    return path


def duration(text):
    """Seconds of 90, 90s, 10m or 2h, for argparse."""
    given = re.fullmatch(r"(\d+)([smh]?)", text)
    if not given or not int(given[1]):
        raise argparse.ArgumentTypeError(f"'{text}' is no time: give 90, 90s, 10m or 2h")
    return int(given[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[given[2]]


def jobs():
    return len(os.sched_getaffinity(0))


_qemu_lock = threading.Lock()
_qemu = []


def qemu():
    """The qemu-system-x86_64 that has the loopdma device, built if need be."""
    with _qemu_lock:
        if not _qemu:
            _qemu.append(find_qemu())
        return _qemu[0]


def find_qemu():
    given = os.environ.get("QEMU")
    if given:
        path = shutil.which(given)
        if not path:
            raise Fail(f"QEMU={given} is not a program: unset QEMU to have it built")
        return path
    return build_qemu(ROOT)


@functools.lru_cache(maxsize=None)
def qemu_version(program):
    """The version of a QEMU, "10.2.2"."""
    text = run([program, "--version"])
    found = re.search(r"version (\d+(?:\.\d+)+)", text)
    if not found:
        raise Fail(f"{program} is not a QEMU: it tells no version")
    return found[1]


def build_qemu(root, sanitizer=None, release=None, models=False):
    """Has a checkout build its QEMU; returns the program.

    Without a sanitizer, and from the newest source, unless they are named.  With models it
    is one for machines whose engine is not ours.
    """
    # Its progress, and its one line when it fails, go where ours go.
    out().flush()
    options = ["--sanitizer", sanitizer] if sanitizer else []
    if models:
        options.append("--models")
    if release:
        options += ["--release", release]
    done = subprocess.run([root / "scripts" / "build-qemu.sh", *options],
                          stdout=subprocess.PIPE, stderr=out(), stdin=subprocess.DEVNULL,
                          check=False, encoding="utf-8")
    if done.returncode:
        raise Fail("no QEMU, see the line above")
    return done.stdout.splitlines()[-1]


# --- the end ------------------------------------------------------------------

class Stopped(KeyboardInterrupt):
    """A signal to end, other than Ctrl-C."""


def _hear_no_more():
    """Once is enough: of a terminal that is closed several tell, its shell and the kernel."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # Not ignored, which children would inherit.
        signal.signal(number, lambda *_: None)


def _stop(number, _):
    _hear_no_more()
    raise Stopped(number)


# From linux/prctl.h.
_PR_SET_CHILD_SUBREAPER = 36

# Set when everything is to end: what fails from then on is not worth a word.
ending = threading.Event()

# How long a process may take to end by itself, in seconds.
_MERCY = 3

# In front of a command: the kernel ends it if who has started it is killed, and so cannot.
MORTAL = ["setpriv", "--pdeathsig", "KILL", "--"]


def _descendants():
    """The processes that this one has started, and that those have."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")
        except OSError:     # it has ended
            continue
        state, parent = fields[2].split()[:2]
        if state != "Z":
            children.setdefault(int(parent), []).append(int(path.parent.name))
    found = children.get(os.getpid(), [])
    for pid in found:
        found += children.get(pid, [])
    return found


def end_children():
    """Ends all that this process has started, and what its threads start from now on."""
    _hear_no_more()
    ending.set()
    none_left = threading.Event()

    def hunt():
        patience = time.monotonic() + _MERCY
        while True:
            found = _descendants()
            if not found:
                none_left.set()
            late = time.monotonic() > patience
            for pid in found:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGKILL if late else signal.SIGTERM)
            time.sleep(0.1)

    threading.Thread(target=hunt, daemon=True).start()
    none_left.wait(2 * _MERCY)


def _watch_terminal():
    """Has us hear of it if our terminal is closed.

    The kernel tells who leads the session alone.  If that is make, as with "ssh -t HOST
    make check", it waits for us and tells nobody.
    """
    closed = select.poll()
    closed.register(sys.stderr, 0)

    def wait():
        closed.poll()
        os.kill(os.getpid(), signal.SIGHUP)

    threading.Thread(target=wait, daemon=True).start()


def main(function):
    """Runs a script's main function; a Fail becomes one line, status 1."""
    # Without it a script that is ended would leave its QEMU running.
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, _stop)
    if sys.stderr.isatty():
        _watch_terminal()
    # The compilers of a make that has ended are ours then, and found.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    name = Path(sys.argv[0]).stem
    try:
        sys.exit(function())
    except Fail as e:
        print(f"{name}: {e}", file=sys.stderr)
    except BrokenPipeError:
        # The reader went away, as `| head` does.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    except OSError as e:
        if e.errno in NO_SPACE:
            print(f"{name}: no space left in {cache_name()} or {BUILD}: free some, or "
                  "set LOOPDMA_CACHE to a larger file system (2 GB)", file=sys.stderr)
        elif e.errno in NO_PERMISSION and e.filename:
            print(f"{name}: {e.filename}: {e.strerror}: did another user, or sudo, make "
                  "it? Change its owner, or remove it", file=sys.stderr)
        else:
            raise
    except KeyboardInterrupt as e:
        number = e.args[0] if isinstance(e, Stopped) else signal.SIGINT
        if not ending.is_set():
            end_children()
        print(f"\n{name}: interrupted", file=sys.stderr)
        # Python takes its handlers away before it is gone.
        signal.pthread_sigmask(signal.SIG_BLOCK,
                               (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
        sys.exit(128 + number)
    sys.exit(1)


def cache_name():
    return os.environ.get("LOOPDMA_CACHE") or "the cache"

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Boots a kernel with a loopdma device and shows DMA at work.

Builds what is missing, boots a guest behind an IOMMU in strict mode, loads the
driver, runs the kernel's dmatest on all channels, sends a scattered buffer round the
device's loopback, compares copies by DMA with copies by the CPU, and lets the sample
clients do the work of a disk and a network card in both ways.  The last line is the
verdict; build/logs/run.out has what is not shown, build/logs/run.log the kernel's log.

  run.py --shell          the same guest, handed over
  run.py --cmd COMMAND    a command in that guest; the status is the command's own, 125 if
                          the guest dies or its kernel complains

The kernel is a stock one, or a tree of yours: --kdir DIR, where it was built.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lib import common, guest, modules, target, user
from lib.common import Fail

# The status of --cmd when it is not for the command to tell.
NOT_JUDGED = 125

# Where the guest has a folder of the host's.
SHARED = "/host"

MOUNT = f"""\
mkdir {SHARED}
modprobe -a {' '.join(target.SHARE_MODULES)} 2>/dev/null
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144 share {SHARED} ||
	echo "{SHARED} is empty: the folder of the host cannot be mounted"
"""


def mebibytes(text):
    """MiB of 512, 512M or 2G, for argparse."""
    given = re.fullmatch(r"(\d+)([MG]?)", text)
    size = int(given[1]) * {"": 1, "M": 1, "G": 1024}[given[2]] if given else 0
    if size < 128:
        raise argparse.ArgumentTypeError(
            f"'{text}' is no memory for a guest: give 128 or more MiB, or 2G")
    return size


def cpus(text):
    if not re.fullmatch(r"[1-9]\d?", text):
        raise argparse.ArgumentTypeError(f"'{text}' is no number of CPUs: give 1 to 99")
    return int(text)


# --- what is wrong is told before anything is built -----------------------------

PROPERTIES = re.compile(r"[\w.-]+=[^,=]*(,[\w.-]+=[^,=]*)*")


def refusal(qemu, properties):
    """What a QEMU says against a loopdma device with these properties, "" if nothing."""
    device = ",".join(filter(None, ["loopdma", properties]))
    try:
        done = subprocess.run(
            [qemu, "-M", "q35", "-nodefaults", "-no-user-config", "-display", "none", "-S",
             "-monitor", "stdio", "-device", device], input="quit\n", check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
            errors="replace")
    except OSError as e:
        return f"it does not run: {e.strerror}"
    if done.returncode == 0:
        return "" if "QEMU" in done.stdout else "this is no qemu-system-x86_64"
    said = done.stderr.strip().splitlines()
    return said[0] if said else f"it ends with status {done.returncode}"


def check_device(properties):
    """Fails if there can be no such device; builds no QEMU to know it."""
    if properties and not PROPERTIES.fullmatch(properties):
        raise Fail(f"DEVICE={properties} is no list of properties: give "
                   "PROPERTY=VALUE,..., such as channels=4,engines=1")
    given = os.environ.get("QEMU")
    built = common.BUILD / "qemu" / "qemu-system-x86_64"
    if given:
        said = refusal(common.qemu(), properties)
        if "not a valid device model name" in said:
            said = f"it has no loopdma device ({said}); unset QEMU to have one built"
        if said:
            raise Fail(f"QEMU={given}: {said}" if not properties or "no loopdma" in said
                       else f"DEVICE={properties}: {said}")
    elif built.exists() and refusal(built, properties):
        # It may be older than the sources, of which that is no judgement.
        said = refusal(common.qemu(), properties)
        if said:
            raise Fail(f"DEVICE={properties}: {said}" if properties else said)


def check_files(paths, kernel):
    for path in paths:
        if not path.is_file():
            raise Fail(f"no file {path}: FILES= and --file take files for the guest")
        if path.suffix == ".ko":
            release = target.made_for(path.read_bytes())
            if release and release != kernel.release:
                raise Fail(f"{path} is for Linux {release}, the guest has {kernel.release}: "
                           f"build it with make -C {kernel.kdir()} M={path.absolute().parent}")
    names = [path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise Fail(f"two files are called {name}: in the guest both would be /{name}")


# --- the guest ------------------------------------------------------------------

def own_files(kernel):
    """What a guest of ours has to work with: modules, dmatest, tools."""
    top, _ = modules.build(kernel.kdir())
    files = guest.module_files(top) | guest.lspci()
    dmatest = kernel.dmatest()
    if dmatest:
        files["dmatest.ko"] = dmatest
    files["bin/loopdmactl"] = common.ROOT / "scripts" / "loopdmactl"
    files["bin/dmacp"] = user.dmacp()
    return files


def shared_folder(args, kernel):
    """The folder to share, and the kernel's modules for that; None if it cannot be."""
    folder = args.share or common.BUILD / "share"
    if not args.share:
        folder.mkdir(parents=True, exist_ok=True)
    if '"virtio-9p-pci"' not in common.run([common.qemu(), "-device", "help"]):
        lacking = "this QEMU has no virtio-9p-pci"
    else:
        try:
            found = kernel.modules(target.SHARE_MODULES)
            return folder, {f"lib/modules/kernel/{name}.ko": data
                            for name, data in found.items()}
        except Fail as e:
            lacking = str(e)
    if args.share:
        raise Fail(f"no folder can be shared: {lacking}")
    common.say(f"  no folder shared at {SHARED}: {lacking}")
    return None, {}


def working_guest(args, kernel, name):
    """The guest of --shell and --cmd."""
    folder, more = shared_folder(args, kernel)
    files = own_files(kernel) | more | guest.manual() | {
        path.name: path for path in args.file} | guest.job_files("run_load", "run_shell")
    tools = guest.tracers()
    job = ". /run_load\n" + (MOUNT if folder else "")
    if args.shell:
        size = shutil.get_terminal_size()
        try_more = [f"  {SHARED} is {folder}"] if folder else []
        try_more += [f"  from your machine: {program}" for program in guest.TRACERS
                     if f"usr/bin/{program}" in tools]
        job += f'sh /run_shell {size.lines} {size.columns} "$slot" {shlex.join(try_more)}\n'
    else:
        job += "cd /root\nsh /command\n"
        files["command"] = args.cmd.encode() + b"\n"
    weight = sum(Path(path).stat().st_size for path in tools.values()) >> 20
    # Unpacked, they are in memory twice for a while.
    mem = args.mem or 512 + 3 * weight
    device = ",".join(filter(None, [
        "" if "test-controls=" in args.device_opts else "test-controls=on",
        args.device_opts]))
    files |= tools
    return guest.Guest(
        kernel=kernel.image(), job=job, name=name, files=files | guest.modprobe(files),
        smp=args.smp, mem=mem, iommu=kernel.iommu, device=device, share=folder,
        again=again(args))


def story(args, kernel, name):
    """The guest that shows DMA at work."""
    files = own_files(kernel) | guest.job_files("run", "run_load", "dmatest_done")
    return guest.Guest(
        kernel=kernel.image(), job=f"sh /run {kernel.iommu}\n", name=name,
        files=files | guest.modprobe(files), smp=args.smp, mem=args.mem or 512,
        iommu=kernel.iommu, device=args.device_opts, again=again(args))


def again(args):
    """The command that does the same once more."""
    what = "shell" if args.shell else "guest" if args.cmd else "run"
    given = {"KERNEL": args.kernel, "KDIR": args.kdir, "DEVICE": args.device_opts,
             "FILES": " ".join(map(str, args.file)), "CMD": args.cmd}
    return " ".join(["make", what, *(f"{name}={shlex.quote(str(value))}"
                                     for name, value in given.items() if value)])


# --- the three ways ---------------------------------------------------------------

def show(args, kernel, name, start):
    machine = story(args, kernel, name)
    version = common.run([common.qemu(), "--version"]).split()
    common.say(f"  booting Linux {kernel.release} in QEMU {version[3]} "
               f"({guest.accelerator()}); all it says is in build/logs/{name}.out")
    said = {}

    def on_line(line):
        key, colon, text = line.partition(": ")
        if colon and key in ("reason", "summary"):
            said.setdefault(key, text)
        elif not line.startswith("%% "):
            print(line, flush=True)

    outcome = guest.run(machine, on_line)
    seconds = time.monotonic() - start
    if outcome.ok:
        print(f"loopdma: PASS: {said.get('summary', '')}, kernel log clean, {seconds:.0f} s")
        return 0
    reason = outcome.told
    if "reason" in said and reason.startswith("job failed"):
        reason = f"{said['reason']} (log: {outcome.place})"
    print(f"loopdma: FAIL: {reason}")
    return 1


def command(args, kernel, name):
    machine = working_guest(args, kernel, name)
    outcome = guest.run(machine, lambda line: print(line, flush=True))
    failed = re.match(r"job failed, status (\d+)", outcome.reason)
    if failed:
        return int(failed[1])
    if not outcome.ok:
        raise Fail(outcome.told)
    return 0


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--shell", action="store_true", help="give me the guest")
    how.add_argument("--cmd", metavar="COMMAND", help="run it in the guest")
    parser.add_argument("--kernel", metavar="NAME", default="", help="stock kernel to boot, "
                        "as listed by make kernels (default: the release's own)")
    parser.add_argument("--kdir", metavar="DIR", default="", help="boot a kernel of yours: "
                        "its tree, or the directory it was built in")
    parser.add_argument("--device-opts", default="", metavar="PROP=VALUE,...",
                        help="properties of the loopdma device")
    parser.add_argument("--file", action="append", default=[], type=Path, metavar="PATH",
                        help="with --shell or --cmd: put a file in / of the guest")
    parser.add_argument("--share", type=Path, metavar="DIR", help="with --shell or --cmd: "
                        f"what the guest has at {SHARED} (default: build/share)")
    parser.add_argument("--smp", type=cpus, default=2, metavar="N", help="CPUs (default 2)")
    parser.add_argument("--mem", type=mebibytes, metavar="MIB", help="memory, 512 or 2G")
    args = parser.parse_args()
    start = time.monotonic()
    args.file = [path.expanduser() for path in args.file]
    if args.cmd is not None and not args.cmd.strip():
        parser.error("--cmd (CMD=) needs a command")
    if not (args.shell or args.cmd) and (args.file or args.share):
        parser.error("--file (FILES=) and --share (SHARE=) are for a shell or a command")
    if args.shell and not sys.stdin.isatty():
        raise Fail("a shell needs a terminal: run one command with "
                   "make guest CMD='...', or scripts/run.py --cmd")
    name = "shell" if args.shell else "command" if args.cmd else "run"
    try:
        if args.share:
            args.share = args.share.expanduser().absolute()
        if args.share and not args.share.is_dir():
            raise Fail(f"no directory {args.share}: SHARE= and --share take one to show "
                       "to the guest")
        check_device(args.device_opts)
        kernel = target.choose(args.kernel, args.kdir)
        check_files(args.file, kernel)
        for line in kernel.lacks():
            common.say(f"  {line}")
        common.qemu()
        with guest.own_name(name) as free:
            if args.cmd:
                return command(args, kernel, free)
            if not args.shell:
                return show(args, kernel, free, start)
            machine = working_guest(args, kernel, free)
            common.say("  booting ...")
            return guest.interact(machine)
    except Fail as e:
        if not args.shell and not args.cmd:
            print(f"loopdma: FAIL: {e}")
            return 1
        print(f"run: {e}", file=sys.stderr)
        return NOT_JUDGED if args.cmd else 1


if __name__ == "__main__":
    common.main(main)

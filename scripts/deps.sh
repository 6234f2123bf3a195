#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Installs the packages that building and testing need, those missing only.
set -eu

usage() {
	cat <<'EOF'
Usage: scripts/deps.sh [--list] run|check|full|coverage|fuzz|bench|peers

Says which packages are missing and installs them with apt-get: those that
`make run` needs, or those of `make check`, which are some more, or those of
`make check-full`, `make coverage`, `make fuzz` or `make bench-peers`, which are
still more, or those of `make bench`, which are those of `make run` and some.  Does nothing if all are
there.

  --list    print the packages instead
EOF
}

die() {
	echo "deps: $*" >&2
	exit 1
}

# Compiler and make; what the object tool of the kernel's headers is linked to;
# QEMU's build; the firmware, also that of network cards; what fetches kernels and
# what the guest is made of.
run="build-essential make python3 libelf-dev
ninja-build meson pkg-config python3-venv libglib2.0-dev zlib1g-dev libfdt-dev
libpixman-1-dev libslirp-dev libattr1-dev libcap-ng-dev dpkg-dev flex bison
seabios qemu-system-data ipxe-qemu
xz-utils zstd pciutils ca-certificates"
# Building kernels, and the checkers; what user programs of the tests are linked with.
check="bc perl git sparse shellcheck groff-base liburing-dev python3-pytest python3-pytest-xdist"
# What makes a report of what gcov has counted.
coverage="gcovr"
# What builds QEMU with sanitizers and a fuzzer, and tells the lines of their reports.
fuzz="clang libclang-rt-dev llvm"
# Plots, and the tree of another commit to compare with.
bench="gnuplot-nox git"
# Machines with engines that are not ours, and what builds their kernels, programs and
# device trees.
peers="qemu-system-arm qemu-system-misc opensbi device-tree-compiler
gcc-aarch64-linux-gnu libc6-dev-arm64-cross gcc-arm-linux-gnueabihf libc6-dev-armhf-cross
gcc-riscv64-linux-gnu"
# What is missing in these to build a kernel with LLVM, and the VFIO selftests.
full="$fuzz $peers clang-19 lld-19 llvm-19 uuid-dev"

list=
if [ "${1:-}" = --list ]; then
	list=1
	shift
fi
case ${1:-} in
run)
	wanted=$run ;;
check)
	wanted="$run $check" ;;
full)
	wanted="$run $check $full" ;;
coverage)
	wanted="$run $check $coverage" ;;
fuzz)
	wanted="$run $check $fuzz" ;;
bench)
	wanted="$run $bench" ;;
peers)
	wanted="$run $check $peers" ;;
-h | --help)
	usage
	exit 0 ;;
*)
	usage >&2
	exit 2 ;;
esac
if [ $# -gt 1 ]; then
	usage >&2
	exit 2
fi
if [ "$list" ]; then
	for package in $wanted; do
		echo "$package"
	done
	exit 0
fi

command -v dpkg-query >/dev/null 2>&1 ||
	die "this is not Debian or Ubuntu: install the counterparts of these yourself:" "$(echo "$wanted" | tr '\n' ' ')"

# A package that is not there makes dpkg-query fail; the others are still told.
# shellcheck disable=SC2086 # one argument for each package
have=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $wanted 2>/dev/null || :)
missing=
for package in $wanted; do
	case "
$have
" in
	*"
$package installed
"*) ;;
	*)
		missing="$missing $package" ;;
	esac
done
[ "$missing" ] || exit 0

echo "deps: missing:$missing" >&2
install="apt-get install -y --no-install-recommends$missing"
if [ "$(id -u)" = 0 ]; then
	sudo=
elif command -v sudo >/dev/null 2>&1; then
	sudo=sudo
	if [ -t 0 ]; then
		# Now: later a clock would be written over its question.
		sudo -v || die "cannot install without sudo, run as root: $install"
	else
		# Nobody is there to answer it.
		sudo -n true 2>/dev/null || die "cannot install without a password, run: sudo $install"
	fi
else
	die "cannot install without root, run as root: $install"
fi
command -v apt-get >/dev/null 2>&1 || die "apt-get is missing, install these yourself:$missing"

log=build/logs/deps.log
cd "$(dirname "$0")/.."
{ mkdir -p build/logs && (: >"$log"); } 2>/dev/null ||
	die "cannot write to $(pwd)/$log: change its owner, or remove it"

# A machine that has just been started may be updating itself: that is waited for.
apt() {
	$sudo env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=30 -o DPkg::Lock::Timeout=300 \
		"$@" >>"$log" 2>&1 </dev/null
}

fail() { # what has failed
	if grep -q 'No space left\|enough free space' "$log"; then
		die "no space left to install, free some (log: $log) and run: $install"
	elif grep -q 'Could not get lock' "$log"; then
		die "another apt-get is at work (log: $log), wait for its end and run: $install"
	fi
	die "$1 (log: $log), run: $install"
}

interrupted() { # status
	[ -z "$clock" ] || kill "$clock"
	echo >&2
	echo "deps: interrupted" >&2
	exit "$1"
}

# Says what takes long, and for how long it has.  The clock is in the background, not the
# command: what is in the background does not hear Ctrl-C.
step() {
	title=$1
	shift
	start=$(date +%s)
	verdict=failed
	clock=
	if [ -t 2 ]; then
		while kill -0 $$ 2>/dev/null; do
			printf '\r  %s ... %s s' "$title" $(($(date +%s) - start)) >&2
			sleep 1
		done &
		clock=$!
	else
		echo "  $title ..." >&2
	fi
	trap 'interrupted 130' INT
	trap 'interrupted 143' TERM
	status=0
	"$@" || status=$?
	trap - INT TERM
	if [ "$clock" ]; then
		kill "$clock"
		printf '\r' >&2
	fi
	[ "$status" != 0 ] || verdict="done"
	echo "  $title: $verdict, $(($(date +%s) - start)) s" >&2
	return "$status"
}

install_missing() {
	# shellcheck disable=SC2086 # one argument for each package
	step "installing" apt install --no-install-recommends $missing
}

# A fresh machine has no package lists, and an old one stale lists.
lists=$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null) || :
if ! { [ "$lists" ] && install_missing; }; then
	step "updating package lists" apt -o APT::Update::Error-Mode=any update ||
		fail "apt-get update failed, is there a network?"
	install_missing || fail "apt-get failed"
fi

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
# QEMU's build; the firmware; what fetches kernels and what the guest is made of.
run="build-essential make python3 libelf-dev
ninja-build meson pkg-config python3-venv libglib2.0-dev zlib1g-dev libfdt-dev
libpixman-1-dev dpkg-dev flex bison seabios qemu-system-data
xz-utils zstd pciutils ca-certificates"
# Building kernels, and the checkers.
check="bc perl git sparse shellcheck groff-base"
# What makes a report of what gcov has counted.
coverage="gcovr"
# What builds QEMU with sanitizers and a fuzzer, and tells the lines of their reports.
fuzz="clang libclang-rt-dev llvm"
# What is missing in that to build a kernel with LLVM.
full="$fuzz lld"
# Plots, and the tree of another commit to compare with.
bench="gnuplot-nox git"
# The machine of the peer, and what builds its kernel, its program and its device tree.
peers="qemu-system-arm gcc-aarch64-linux-gnu libc6-dev-arm64-cross device-tree-compiler"

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
	# Nobody is there to answer sudo without a terminal.
	if ! [ -t 0 ]; then
		sudo -n true 2>/dev/null || die "cannot install without a password, run: sudo $install"
	fi
else
	die "cannot install without root, run as root: $install"
fi
command -v apt-get >/dev/null 2>&1 || die "apt-get is missing, install these yourself:$missing"

log=build/logs/deps.log
cd "$(dirname "$0")/.."
mkdir -p build/logs || die "cannot write to $(pwd)/build: make it writable"

apt() {
	$sudo env DEBIAN_FRONTEND=noninteractive LC_ALL=C apt-get -q -y \
		-o Acquire::Retries=2 -o Acquire::http::Timeout=30 "$@" >>"$log" 2>&1 </dev/null
}

# Says what takes long, and for how long it has.
step() {
	title=$1
	shift
	start=$(date +%s)
	verdict=failed
	if [ -t 2 ]; then
		"$@" &
		pid=$!
		while kill -0 "$pid" 2>/dev/null; do
			printf '\r  %s ... %s s' "$title" $(($(date +%s) - start)) >&2
			sleep 1
		done
		status=0
		wait "$pid" || status=$?
		printf '\r' >&2
	else
		echo "  $title ..." >&2
		status=0
		"$@" || status=$?
	fi
	[ "$status" != 0 ] || verdict="done"
	echo "  $title: $verdict, $(($(date +%s) - start)) s" >&2
	return "$status"
}

: >"$log"
# A fresh machine has no package lists, an old one stale lists: both show here.
# shellcheck disable=SC2086
if ! step "installing" apt install --no-install-recommends $missing; then
	step "updating package lists" apt -o APT::Update::Error-Mode=any update ||
		die "apt-get update failed, is there a network? (log: $log) Then run: $install"
	# shellcheck disable=SC2086
	if ! step "installing" apt install --no-install-recommends $missing; then
		if grep -q 'No space left\|enough free space' "$log"; then
			die "no space left to install, free some (log: $log) and run: $install"
		fi
		die "apt-get failed (log: $log), run: $install"
	fi
fi

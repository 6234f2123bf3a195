#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds the QEMU that has the loopdma device.
set -eu

usage() {
	cat <<'EOF'
Usage: scripts/build-qemu.sh [--release CODENAME] [--sanitizer address|thread]

Builds qemu-system-x86_64 with the loopdma device from the source package of
the distribution, with the smallest configuration, and prints its path as the
last line of standard output.  What was built before is kept in the cache
(LOOPDMA_CACHE, default ~/.cache/loopdma); then only the device is compiled.

  --release CODENAME   take the source of this release of the distribution, for
                       example bookworm-backports (default: the running one)
  --sanitizer NAME     build with clang and a sanitizer, for tests alone: without
                       TCG.  address: AddressSanitizer and
                       UndefinedBehaviorSanitizer, and beside the program that is
                       printed the fuzzer, qemu-fuzz-x86_64.  thread:
                       ThreadSanitizer

Variables: JOBS (number of compilers at once, default: number of CPUs).
EOF
}

die() {
	echo "build-qemu: $*" >&2
	exit 1
}

# Runs a step with its output in the log, and a clock on a terminal.
step() {
	title=$1
	shift
	start=$(date +%s)
	printf '  %s ...\n' "$title" >&2
	"$@" >>"$log" 2>&1 &
	child=$!
	trap 'kill $child 2>/dev/null; exit 130' INT TERM
	while [ -t 2 ] && kill -0 $child 2>/dev/null; do
		printf '\r  %s ... %d s' "$title" $(($(date +%s) - start)) >&2
		sleep 1
	done
	[ ! -t 2 ] || printf '\r' >&2
	status=0
	wait $child || status=$?
	trap - INT TERM
	if [ $status -ne 0 ]; then
		printf '  %s: failed\n' "$title" >&2
		tail -n 15 "$log" >&2
		if grep -q 'No space left on device' "$log"; then
			die "no space left: free some, or set LOOPDMA_CACHE to a larger file system (2 GB)"
		fi
		die "$title failed, see ${log#"$root/"}${hint:+: $hint}"
	fi
	printf '  %s: done, %d s\n' "$title" $(($(date +%s) - start)) >&2
}

release=
sanitizer=
while [ $# -gt 0 ]; do
	case $1 in
	--release)
		[ $# -ge 2 ] || die "--release needs the code name of a release, see --help"
		release=$2
		shift 2 ;;
	--sanitizer)
		case ${2:-} in
		address | thread) ;;
		*)
			die "--sanitizer needs one of address, thread, see --help" ;;
		esac
		sanitizer=$2
		shift 2 ;;
	-h | --help)
		usage
		exit 0 ;;
	*)
		usage >&2
		exit 2 ;;
	esac
done

root=$(cd "$(dirname "$0")/.." && pwd)
cache=${LOOPDMA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loopdma}
running=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
release=${release:-$running}
hint=

# QEMU's configure and its build must meet the distribution's own tools first.
PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH
LC_ALL=C.UTF-8
export PATH LC_ALL

for tool in apt-get dpkg-source flock gcc meson ninja pkg-config python3; do
	command -v $tool >/dev/null 2>&1 || die "$tool is missing: run 'make deps'"
done
if [ "$sanitizer" ]; then
	for tool in clang llvm-symbolizer; do
		command -v $tool >/dev/null 2>&1 ||
			die "$tool is missing: run 'scripts/deps.sh fuzz'"
	done
fi
for lib in glib-2.0 pixman-1; do
	pkg-config --exists $lib || die "$lib is missing: run 'make deps'"
done
# It comes without a file for pkg-config.
[ -e /usr/include/libfdt.h ] || die "libfdt is missing: run 'make deps'"

products=$root/build/qemu${sanitizer:+-$sanitizer}
what=QEMU${sanitizer:+ with $sanitizer sanitizer}
log=$root/build/logs/qemu-build${sanitizer:+-$sanitizer}.log
mkdir -p "${log%/*}" "$products" ||
	die "cannot write below $root: change its owner, or build in a copy"
: >"$log"

# --without-default-*: only what is asked for here and in devices.mak.
configure="--target-list=x86_64-softmmu --without-default-features
--without-default-devices --with-devices-x86_64=loopdma --enable-system
--enable-tcg --enable-kvm --enable-fdt=system --disable-docs --disable-tools
--disable-debug-info --disable-werror
--firmwarepath=/usr/share/qemu:/usr/share/seabios"
programs=qemu-system-x86_64
if [ "$sanitizer" ]; then
	# The tables are what tells the lines of a report, at little cost.
	configure="$configure --disable-tcg --cc=clang --cxx=clang++
--extra-cflags=-gline-tables-only"
fi
case $sanitizer in
address)
	configure="$configure --enable-sanitizers --enable-fuzzing"
	programs="$programs qemu-fuzz-x86_64" ;;
thread)
	configure="$configure --enable-tsan" ;;
esac
key=$(printf '%s' "$configure" | cat - "$root/qemu-device/devices.mak" |
	sha256sum | cut -c 1-12)
dir=$cache/qemu/$release-$key
mkdir -p "$dir" 2>/dev/null ||
	die "cannot write to the cache $cache: set LOOPDMA_CACHE to a directory that you can write to"

exec 9>"$dir/lock"
if ! flock -n 9; then
	echo "  waiting for another build in $dir ..." >&2
	flock 9
fi

# The source package, from the mirror that the machine uses anyway.  Entries for
# sources are seldom enabled, so they are passed for this one call.
fetch() {
	rm -rf "$dir/fetch" "$dir/src" "$dir/src.part"
	mkdir -p "$dir/fetch/lists/partial"
	cd "$dir/fetch"
	keyring=
	for file in debian ubuntu; do
		if [ -e "/usr/share/keyrings/$file-archive-keyring.gpg" ]; then
			keyring="[signed-by=/usr/share/keyrings/$file-archive-keyring.gpg]"
			break
		fi
	done
	# shellcheck disable=SC2016 # the variables are apt's
	apt-get indextargets --format '$(SITE) $(CODENAME) $(COMPONENT)' \
		'Identifier: Packages' | sort -u >targets
	while read -r site name component; do
		case $name in
		"$running"*)
			echo "deb-src $keyring $site $name $component" ;;
		esac
		if [ "$name" = "$running" ]; then
			echo "deb-src $keyring $site $release $component"
		fi
	done <targets | sort -u >sources.list
	if [ ! -s sources.list ]; then
		echo "apt knows no mirror of $running: run 'apt-get update'"
		return 1
	fi
	set -- -o "Dir::Etc::sourcelist=$PWD/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o "Dir::State::lists=$PWD/lists" \
		-o "Dir::Cache=$PWD" -o APT::Sandbox::User=
	apt-get "$@" update || return 1
	apt-get "$@" source --download-only -t "$release" qemu || return 1
	# Debian's patches make the tree build without what was taken out of it.
	dpkg-source -x ./*.dsc "$dir/src.part" || return 1
	cp "$dir/src.part/VERSION" "$dir/version" || return 1
	mv "$dir/src.part" "$dir/src" || return 1
	rm -rf "$dir/fetch"
}

# Same text, same time stamp: ninja compiles exactly what differs, whichever
# checkout it comes from.
put() {
	cmp -s "$1" "$2" || cp "$1" "$2"
}

append_once() {
	grep -qxF "$2" "$1" || echo "$2" >>"$1"
}

install_device() {
	src=$dir/src
	mkdir -p "$src/hw/misc/loopdma" "$src/include/loopdma"
	for file in "$root"/qemu-device/*.[ch] "$root/qemu-device/Kconfig" \
		"$root/qemu-device/meson.build"; do
		put "$file" "$src/hw/misc/loopdma/${file##*/}"
	done
	for file in "$src"/hw/misc/loopdma/*.[ch]; do
		[ -e "$root/qemu-device/${file##*/}" ] || rm "$file"
	done
	put "$root/include/loopdma/hw.h" "$src/include/loopdma/hw.h"
	put "$root/qemu-device/devices.mak" \
		"$src/configs/devices/x86_64-softmmu/loopdma.mak"
	append_once "$src/hw/misc/Kconfig" 'source loopdma/Kconfig'
	append_once "$src/hw/misc/meson.build" "subdir('loopdma')"
	# QEMU's own events first, as they came, then ours.
	[ -e "$dir/trace-events" ] ||
		cp "$src/hw/misc/trace-events" "$dir/trace-events"
	cat "$dir/trace-events" "$root/qemu-device/trace-events" \
		>"$dir/trace-events.new"
	put "$dir/trace-events.new" "$src/hw/misc/trace-events"
	if [ "$sanitizer" = address ]; then
		install_fuzzer
	fi
}

# Our target beside QEMU's own, and only the device counted as covered, apart
# from the entry without which libFuzzer gives up.
install_fuzzer() {
	put "$root/tests/fuzz/loopdma_fuzz.c" "$src/tests/qtest/fuzz/loopdma_fuzz.c"
	append_once "$src/tests/qtest/fuzz/meson.build" \
		"specific_fuzz_ss.add(when: 'CONFIG_LOOPDMA', if_true: files('loopdma_fuzz.c'))"
	printf '%s\n' 'src:*/hw/misc/loopdma/*' 'src:*/tests/qtest/fuzz/fuzz.c' \
		'fun:*' >"$dir/filter.new"
	put "$dir/filter.new" \
		"$src/scripts/oss-fuzz/instrumentation-filter-template"
}

configure_qemu() {
	rm -rf "$dir/build"
	mkdir "$dir/build" || return 1
	cd "$dir/build"
	extra=
	# QEMU 8.2 and later otherwise look for firmware to install.
	if ../src/configure --help | grep -q install-blobs; then
		extra=--disable-install-blobs
	fi
	# shellcheck disable=SC2086 # words
	../src/configure $configure $extra
}

compile() {
	# shellcheck disable=SC2086 # words
	nice -n 5 ninja -C "$dir/build" ${JOBS:+-j "$JOBS"} $programs
}

# To ninja QEMU never is, because its version is looked up anew each time.  What
# install_device() has to change is newer than the program.
up_to_date() {
	for program in $programs; do
		program=$dir/build/$program
		[ -e "$program" ] && [ -z "$(find "$dir/src/hw/misc" \
			"$dir/src/include/loopdma" "$dir/src/tests/qtest/fuzz" "$dir/src/scripts/oss-fuzz" \
			"$dir/src/configs/devices/x86_64-softmmu" -type f \
			-newer "$program" -print -quit)" ] || return 1
	done
}

if [ ! -e "$dir/src/configure" ]; then
	hint="is there a network, and does 'apt-get update' work?"
	step "fetching the source of QEMU ($release)" fetch
	hint=
fi
install_device
# An interrupted configure leaves no build.ninja, and starts anew.
if [ ! -e "$dir/build/build.ninja" ]; then
	step "configuring $what $(cat "$dir/version")" configure_qemu
fi
if ! up_to_date; then
	step "compiling $what $(cat "$dir/version")" compile
fi

# Each checkout runs its own device, also while another one builds.
for program in $programs; do
	binary=$products/$program
	if ! cmp -s "$dir/build/$program" "$binary"; then
		cp "$dir/build/$program" "$binary.part"
		mv "$binary.part" "$binary"
	fi
done
echo "$products/qemu-system-x86_64"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Builds the QEMU that has the loopdma device.
set -eu

usage() {
	cat <<'EOF'
Usage: scripts/build-qemu.sh [--release CODENAME] [--update]
                             [--sanitizer address|thread | --models]

Builds qemu-system-x86_64 with the loopdma device from a source package of the
distribution, and prints its path as the last line of standard output.  What was
built before is kept in the cache (LOOPDMA_CACHE, default ~/.cache/loopdma); then
only the device is compiled.

On Debian the source is the newest that the mirror has, whichever release runs
here: of sid, the stable releases and their backports.  On Ubuntu it is that of
the release that runs.

  --release CODENAME   take the source of this release, for example bookworm
  --update             look again which source is the newest
  --sanitizer NAME     build with clang and a sanitizer, for tests alone: with few
                       devices, and without TCG.  address: AddressSanitizer and
                       UndefinedBehaviorSanitizer, and beside the program that is
                       printed the fuzzer, qemu-fuzz-x86_64.  thread:
                       ThreadSanitizer
  --models             build qemu-system-aarch64 instead, without the device: with
                       the machines that the conformance suites run on, and with
                       Documentation/findings/qemu-*.patch

Variables: JOBS (number of compilers at once, default: number of CPUs).
EOF
}

die() {
	echo "build-qemu: $*" >&2
	exit 1
}

interrupted() { # status
	[ -z "$clock" ] || kill "$clock"
	echo >&2
	echo "build-qemu: interrupted" >&2
	exit "$1"
}

# Runs a step with its output in the log, and a clock on a terminal.  The clock is in the
# background, not the step: what is in the background does not hear Ctrl-C.
step() {
	title=$1
	shift
	start=$(date +%s)
	printf '  %s ...\n' "$title" >&2
	clock=
	if [ -t 2 ]; then
		while kill -0 $$ 2>/dev/null; do
			printf '\r  %s ... %d s' "$title" $(($(date +%s) - start)) >&2
			sleep 1
		done 9>&- &
		clock=$!
	fi
	trap 'interrupted 130' INT
	trap 'interrupted 143' TERM
	set +e
	(
		set -e
		"$@"
	) >>"$log" 2>&1
	status=$?
	set -e
	trap - INT TERM
	if [ "$clock" ]; then
		kill "$clock"
		printf '\r' >&2
	fi
	if [ $status -ne 0 ]; then
		printf '  %s: failed\n' "$title" >&2
		if grep -q 'No space left on device\|enough free space\|Disk quota exceeded' "$log"; then
			die "no space left: free some, or set LOOPDMA_CACHE to a larger file system (2 GB)"
		fi
		[ "$hint" ] || tail -n 15 "$log" >&2
		die "$title failed, see ${log#"$root/"}${hint:+: $hint}"
	fi
	printf '  %s: done, %d s\n' "$title" $(($(date +%s) - start)) >&2
}

release=newest
update=
sanitizer=
models=
while [ $# -gt 0 ]; do
	case $1 in
	--release)
		case ${2:-} in
		'' | *[!a-z0-9-]*)
			die "--release needs the code name of a release, see --help" ;;
		esac
		release=$2
		shift 2 ;;
	--update)
		update=1
		shift ;;
	--sanitizer)
		case ${2:-} in
		address | thread) ;;
		*)
			die "--sanitizer needs one of address, thread, see --help" ;;
		esac
		sanitizer=$2
		shift 2 ;;
	--models)
		models=1
		shift ;;
	-h | --help)
		usage
		exit 0 ;;
	*)
		usage >&2
		exit 2 ;;
	esac
done

[ ! "$models" ] || [ ! "$sanitizer" ] || die "--models goes without --sanitizer, see --help"
root=$(cd "$(dirname "$0")/.." && pwd)
cache=${LOOPDMA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loopdma}
running=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
distribution=$(sed -n 's/^ID=//p' /etc/os-release)
hint=

# QEMU's configure and its build must meet the distribution's own tools first.
PATH=/usr/bin:/bin:/usr/sbin:/sbin:$PATH
LC_ALL=C.UTF-8
export PATH LC_ALL

# What is built, for people and for the names of files.
what=QEMU
suffix=
if [ "$sanitizer" ]; then
	what="QEMU with $sanitizer sanitizer"
	suffix=-$sanitizer
elif [ "$models" ]; then
	what="QEMU with ARM machines"
	suffix=-models
fi
[ "$release" = newest ] || suffix=$suffix-$release

for tool in apt-get dpkg-source flock gcc meson ninja patch pkg-config python3; do
	command -v $tool >/dev/null 2>&1 || die "$tool is missing: run 'make deps'"
done
if [ "$sanitizer" ]; then
	for tool in clang llvm-symbolizer; do
		command -v $tool >/dev/null 2>&1 ||
			die "$tool is missing: run 'scripts/deps.sh fuzz'"
	done
fi
libs="glib-2.0 pixman-1"
[ "$sanitizer$models" ] || libs="$libs slirp libattr libcap-ng"
for lib in $libs; do
	pkg-config --exists "$lib" || die "$lib is missing: run 'make deps'"
done
# It comes without a file for pkg-config.
[ -e /usr/include/libfdt.h ] || die "libfdt is missing: run 'make deps'"

products=$root/build/qemu$suffix
log=$root/build/logs/qemu-build$suffix.log
{ mkdir -p "${log%/*}" "$products" && (: >"$log"); } 2>/dev/null ||
	die "cannot write below $root: change its owner, or build in a copy"
if ! mkdir -p "$cache/qemu" 2>/dev/null || [ ! -w "$cache/qemu" ]; then
	die "cannot write to the cache $cache: set LOOPDMA_CACHE to a directory that you can write to"
fi

# Keeps other builds out, with a file descriptor, of what a lock file is for.
lock() {
	eval "exec $1>\"\$2\""
	if ! flock -n "$1"; then
		echo "  waiting for another build in ${2%/*} ..." >&2
		flock "$1"
	fi
}

# apt with the entries in $part/sources.list alone: those of the machine stay as
# they are, and so do its lists.
apt() {
	program=$1
	shift
	"$program" -o "Dir::Etc::sourcelist=$part/sources.list" \
		-o Dir::Etc::sourceparts=/dev/null \
		-o "Dir::State::lists=$part/lists" \
		-o "Dir::Cache=$part" -o APT::Sandbox::User= "$@"
}

# Makes apt look into these suites of the mirror that the machine uses anyway:
# what to look for (deb or deb-src), and the suites.
look() {
	type=$1
	shift
	rm -rf "$part/lists"
	mkdir -p "$part/lists/partial"
	keyring=
	for file in "/usr/share/keyrings/$distribution-archive-keyring".*; do
		[ ! -e "$file" ] || keyring="[signed-by=$file]"
	done
	# On Debian's sid os-release has the name of the release to come.
	# shellcheck disable=SC2016 # the variables are apt's
	mirror=$(apt-get indextargets --format '$(CODENAME) $(COMPONENT) $(SITE)' \
		'Identifier: Packages' | sed -n "s/^\(sid\|$running\) main //p" | head -n 1)
	if [ -z "$mirror" ]; then
		echo "apt knows no mirror of $distribution: run 'apt-get update'"
		return 1
	fi
	for suite; do
		echo "$type $keyring $mirror $suite main"
	done >"$part/sources.list"
	# A mirror need not have all of them.
	apt apt-get update || echo "the mirror has not all of: $*"
}

# Prints the versions of a package, and the suites that have them.
versions() {
	apt apt-cache madison "$1" | awk '{ sub("/.*", "", $6); print $3, $6 }' | sort -rV
}

# 1:10.2.2+ds-1 as 10.2.2
short() {
	echo "$1" | sed 's/^[0-9]*://; s/[+-].*//'
}

# Fetches the newest source package of QEMU in the suites of which the mirror has
# the files, too, and tells which are only listed.
fetch_source() {
	look deb-src "$@" || return 1
	versions qemu >"$part/versions"
	mkdir "$part/files"
	cd "$part/files" || return 1
	absent=
	while read -r version suite; do
		name="$(short "$version") ($suite)"
		if apt apt-get source --download-only "qemu=$version" >"$part/said" 2>&1; then
			cat "$part/said"
			echo "${absent:+QEMU $absent: not at the mirror; taking $name}" >choice
			echo "${version#*:}" >version
			return
		fi
		cat "$part/said"
		grep -q '  404  ' "$part/said" || return 1
		absent="${absent:+$absent, }$name"
	done <"$part/versions"
	echo "the mirror has no source of QEMU in any of: $*"
	return 1
}

# Fetches a meson that is not older than $1, and of any machine, since it is Python.
fetch_meson() {
	for suite in "$running-backports" sid; do
		look deb "$suite" || return 1
		version=$(versions meson | sed 's/ .*//; q')
		if [ "$version" ] && dpkg --compare-versions "$version" ge "$1~"; then
			(cd "$part" && apt apt-get download "meson=$version") || return 1
			dpkg-deb -x "$part"/meson_*.deb "$part/files"
			return
		fi
	done
	echo "no meson $1 in any of $running-backports, sid"
	return 1
}

# Fills a directory that all builds share, which changes only if that succeeds.
fill() {
	final=$1
	title=$2
	shift 2
	lock 8 "$cache/qemu/lock"
	# Another build may have done it meanwhile.
	[ "$update" ] || [ ! -d "$final" ] || return 0
	part=$final.part
	rm -rf "$part"
	mkdir "$part"
	hint="is there a network, and does 'apt-get update' work?"
	step "$title" "$@"
	hint=
	rm -rf "$final"
	mv "$part/files" "$final"
	rm -rf "$part"
}

unpack() {
	rm -rf "$dir/src" "$dir/src.part"
	# Debian's patches make the tree build without what was taken out of it.
	dpkg-source -x "$source"/*.dsc "$dir/src.part" || return 1
	if [ "$models" ]; then
		for file in "$root"/Documentation/findings/qemu-*.patch; do
			patch -d "$dir/src.part" -p1 --fuzz=0 <"$file" || return 1
		done
	fi
	find "$dir/src.part" -name Kconfig -exec sed -n 's/^config \(.*\)/CONFIG_\1=y/p' {} + \
		>"$dir/known" || return 1
	mv "$dir/src.part" "$dir/src"
}

# Same text, same time stamp: ninja compiles exactly what differs, whichever
# checkout it comes from.
put() {
	cmp -s "$1" "$2" || cp "$1" "$2"
}

append_once() {
	grep -qxF "$2" "$1" || echo "$2" >>"$1"
}

# What lists of devices say: a comment that has changed, or a line that has gone from one to
# the other, costs no build.
devices() {
	grep -hv '^#' "$@" | sort
}

install_device() {
	src=$dir/src
	if [ "$models" ]; then
		devices "$root/scripts/configs/machines/qemu.mak" >"$dir/devices.new"
		put "$dir/devices.new" "$src/configs/devices/aarch64-softmmu/loopdma.mak"
		return
	fi
	mkdir -p "$src/hw/misc/loopdma" "$src/include/loopdma"
	for file in "$root"/qemu-device/*.[ch] "$root/qemu-device/Kconfig" \
		"$root/qemu-device/meson.build"; do
		put "$file" "$src/hw/misc/loopdma/${file##*/}"
	done
	for file in "$src"/hw/misc/loopdma/*.[ch]; do
		[ -e "$root/qemu-device/${file##*/}" ] || rm "$file"
	done
	put "$root/include/loopdma/hw.h" "$src/include/loopdma/hw.h"
	devices "$root/qemu-device/devices.mak" >"$dir/devices.new"
	[ "$sanitizer" ] || devices "$root/qemu-device/devices-full.mak" |
		grep -xFf "$dir/known" >>"$dir/devices.new"
	put "$dir/devices.new" "$src/configs/devices/x86_64-softmmu/loopdma.mak"
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

has_option() {
	grep -q -e "$1)" "$dir/src/scripts/meson-buildoptions.sh"
}

configure_qemu() {
	rm -rf "$dir/build"
	mkdir "$dir/build" || return 1
	cd "$dir/build"
	# What not all versions can be asked for: QEMU 8.2 and later otherwise look for
	# firmware to install, and are without a display.
	extra=
	for option in --disable-install-blobs --enable-pixman; do
		! has_option $option || extra="$extra $option"
	done
	# QEMU 7 and 8 want this, too, for shared folders.
	case $sanitizer$version in
	[78].*)
		extra="$extra --enable-cap-ng" ;;
	esac
	if [ "$sanitizer" = address ]; then
		if has_option --enable-asan; then
			extra="$extra --enable-asan --enable-ubsan"
		else
			extra="$extra --enable-sanitizers"
		fi
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
		[ -e "$program" ] || return 1
		# What a build for other machines is made of names its directory.
		[ ! "$models" ] || continue
		[ -z "$(find "$dir/src/hw/misc" \
			"$dir/src/include/loopdma" "$dir/src/tests/qtest/fuzz" "$dir/src/scripts/oss-fuzz" \
			"$dir/src/configs/devices/x86_64-softmmu" -type f \
			-newer "$program" -print -quit)" ] || return 1
	done
}

# --without-default-*: only what is asked for here and in the lists of devices.
cpu=x86_64
set -- "$root"/qemu-device/devices*.mak
if [ "$models" ]; then
	cpu=aarch64
	set -- "$root/scripts/configs/machines/qemu.mak"
fi
configure="--target-list=$cpu-softmmu --without-default-features
--without-default-devices --with-devices-$cpu=loopdma --enable-system
--enable-tcg --enable-kvm --enable-fdt=system --disable-docs --disable-tools
--disable-debug-info --disable-werror
--firmwarepath=/usr/share/qemu:/usr/share/seabios:/usr/lib/ipxe/qemu"
programs=qemu-system-$cpu
if [ ! "$sanitizer$models" ]; then
	configure="$configure --enable-slirp --enable-attr --enable-virtfs
--enable-vhost-kernel --enable-vhost-net --enable-vhost-user"
elif [ "$sanitizer" ]; then
	# The tables are what tells the lines of a report, at little cost.
	configure="$configure --disable-tcg --cc=clang --cxx=clang++
--extra-cflags=-gline-tables-only"
fi
case $sanitizer in
address)
	configure="$configure --enable-fuzzing"
	programs="$programs qemu-fuzz-x86_64" ;;
thread)
	configure="$configure --enable-tsan" ;;
esac

source=$cache/qemu/source-$release
if [ "$update" ] || [ ! -e "$source/version" ]; then
	suites=$release
	if [ "$release" = newest ]; then
		suites="$running $running-updates"
		[ "$distribution" != debian ] ||
			suites="sid trixie-backports trixie bookworm-backports bookworm"
	fi
	# shellcheck disable=SC2086 # words
	fill "$source" "fetching the source of QEMU ($release)" fetch_source $suites
	update=
	exec 8>&-
	grep . "$source/choice" | sed 's/^/  /' >&2
fi
version=$(short "$(cat "$source/version")")
key=$( (
	echo "$configure"
	cat "$source/version"
	[ ! "$models" ] || cat "$root"/Documentation/findings/qemu-*.patch
	devices "$@"
) | sha256sum | cut -c 1-12)
dir=$cache/qemu/$version-$key
mkdir -p "$dir"
lock 9 "$dir/lock"
[ -e "$dir/src/configure" ] || step "unpacking the source of QEMU $version" unpack
# QEMU 8.1 and later say which meson they want.
wanted=$(sed -n 's/^meson = { accepted = ">=\([0-9.]*\)".*/\1/p' \
	"$dir/src/pythondeps.toml" 2>/dev/null | head -n 1)
meson=$cache/qemu/meson-$wanted
if [ "$wanted" ] && [ ! -e "$dir/build/build.ninja" ] && [ ! -d "$meson" ] &&
	dpkg --compare-versions "$(meson --version)" lt "$wanted"; then
	fill "$meson" "fetching meson $wanted or later" fetch_meson "$wanted"
	exec 8>&-
fi
if [ -d "$meson" ]; then
	PYTHONPATH=$meson/usr/lib/python3/dist-packages
	export PYTHONPATH
fi
install_device
# An interrupted configure leaves no build.ninja, and starts anew.
if [ ! -e "$dir/build/build.ninja" ]; then
	step "configuring $what $version" configure_qemu
fi
if ! up_to_date; then
	step "compiling $what $version" compile
fi

# Each checkout runs its own device, also while another one builds.
for program in $programs; do
	binary=$products/$program
	if ! cmp -s "$dir/build/$program" "$binary"; then
		cp "$dir/build/$program" "$binary.part"
		mv "$binary.part" "$binary"
	fi
done
echo "$products/qemu-system-$cpu"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Removes the cache, if that is what the directory is.
set -eu

die() {
	echo "clean-cache: $*" >&2
	exit 1
}

case ${1:-} in
"") ;;
-h | --help)
	echo "Usage: scripts/clean-cache.sh"
	echo
	echo "Removes \${LOOPDMA_CACHE:-\${XDG_CACHE_HOME:-~/.cache}/loopdma}."
	exit 0 ;;
*)
	echo "clean-cache: no argument is known, see --help" >&2
	exit 2 ;;
esac

cache=${LOOPDMA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/loopdma}
[ -e "$cache" ] || exit 0
# LOOPDMA_CACHE=/ by mistake must not be obeyed.
[ -d "$cache/locks" ] || die "$cache does not look like our cache, remove it yourself"
# Nor may it go while something is built in it.
find "$cache/locks" "$cache"/qemu/* -maxdepth 1 -type f \
	\( -name '*.lock' -o -name lock \) 2>/dev/null | while read -r lock; do
	flock -n "$lock" true 2>/dev/null ||
		die "another run is at work, it holds $lock: wait for its end"
done
rm -rf "$cache" 2>/dev/null || die "cannot remove all of $cache: what is left is another user's"

#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only
# Removes the cache, if that is what the directory is.
set -eu

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
if ! [ -d "$cache/locks" ]; then
	echo "clean-cache: $cache does not look like our cache, remove it yourself" >&2
	exit 1
fi
rm -rf "$cache"

#!/bin/sh
# symbols.sh SOURCE_ROOT BUILD_ROOT: the static libraries define symbols with the prefix
# mae_ only. Names that begin with two underscores come from the compiler.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

command -v nm >/dev/null 2>&1 || skip_all 'nm is not installed'
for library in $(find "$2/src" "$2/tools" -name 'libmae*.a' | sort); do
    report "${library#"$2"/}" "$(nm -g --defined-only "$library" 2>&1 |
        awk 'NF == 3 && $3 !~ /^(mae_|__)/ { print $3 }' | sort -u)"
done
[ "$count" -gt 0 ] || skip_all 'no static libraries'
finish

#!/bin/sh
# test_hardened.sh BUILD_TOOLS: the programs can be loaded anywhere, what the loader wrote is
# read-only afterwards, and no stack is executable. TAP on stdout.
set -eu

tools=$(realpath "$1")
. "$(dirname "$(realpath "$0")")/check.sh"

command -v readelf >/dev/null 2>&1 || skip_all 'readelf is not installed'
for tool in "$tools"/mae-*; do
    [ -f "$tool" ] || continue # its objects
    name=${tool##*/}
    check "$name is position independent" 0 'FLAGS_1.* PIE' readelf -dW "$tool"
    check "$name binds before it starts" 0 'FLAGS_1.* NOW' readelf -dW "$tool"
    check "$name relocates, then protects" 0 'GNU_RELRO' readelf -lW "$tool"
    check "$name has no executable stack" 0 'GNU_STACK.* RW ' readelf -lW "$tool"
    check "$name notices overrun buffers" 0 '__stack_chk_fail' readelf --dyn-syms -W "$tool"
done
echo "1..$count"

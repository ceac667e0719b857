#!/bin/sh
# headers.sh SOURCE_ROOT CC...: every header compiles alone, and twice in a row; those of
# include/mae as C++ too, if there is a C++ compiler.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"
shift

flags='-fsyntax-only -fopenmp-simd -Wall -Wextra -Werror -D_POSIX_C_SOURCE=200809L'
flags="$flags -Isrc -Iinclude -Itools"
flags="$flags $(pkg-config --cflags hdf5-serial 2>/dev/null || true)"

# compile HEADER LANGUAGE STANDARD COMPILER...: its messages if it does not compile.
compile()
{
    header=$1 language=$2 standard=$3
    shift 3
    include=${header#src/}
    include=${include#include/}
    include=${include#tools/}
    # shellcheck disable=SC2086 # flags are words
    printf '#include "%s"\n#include "%s"\n' "$include" "$include" |
        "$@" $flags "-std=$standard" -x "$language" - 2>&1 || true
}

for header in $(files 'src/*.h' 'include/*.h' 'tools/*.h'); do
    report "$header" "$(compile "$header" c c11 "$@")"
done
if c++ --version >/dev/null 2>&1; then
    for header in $(files 'include/*.h'); do
        report "$header as C++" "$(compile "$header" c++ c++17 c++)"
    done
fi
[ "$count" -gt 0 ] || skip_all 'no headers'
finish

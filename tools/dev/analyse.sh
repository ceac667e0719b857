#!/bin/sh
# Static analysis of the library and the tools; the last line is "N findings".
set -eu

usage()
{
    cat <<'END'
Usage: tools/dev/analyse.sh [--tidy | --cppcheck] [--help] [FILE...]

Runs clang-tidy (.clang-tidy) and cppcheck (tools/dev/cppcheck.txt) over src and tools, or
over the files given; the last line is "N findings". Ends with 1 if there are any.

  --tidy      clang-tidy alone
  --cppcheck  cppcheck alone
END
}

tidy=yes
cppcheck=yes
names=
while [ $# -gt 0 ]; do
    case $1 in
    --tidy) cppcheck=no ;;
    --cppcheck) tidy=no ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*)
        echo "analyse.sh: unknown option $1; see --help" >&2
        exit 2
        ;;
    *) names="$names $1" ;;
    esac
    shift
done
cd "$(dirname "$0")/../.."

# need COMMAND: end if it is not installed.
need()
{
    command -v "$1" >/dev/null 2>&1 || {
        echo "analyse.sh: $1 is not installed" >&2
        exit 2
    }
}

# How files are compiled, with assertions, which tell analysers what holds.
build='build-analyse'
if [ ! -f "$build/compile_commands.json" ]; then
    meson setup -Dbuildtype=debug -Db_ndebug=false -Dtests=false "$build" >/dev/null
fi
[ -n "$names" ] || names=$(find src tools -name '*.c' | sort)
jobs=$(getconf _NPROCESSORS_ONLN)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Findings are lines "FILE:LINE:COLUMN: warning: TEXT [check]". One file a process:
# clang-tidy 14 takes va_start for unknown in the second one.
if [ "$tidy" = yes ]; then
    need clang-tidy-14
    echo 'analyse.sh: clang-tidy'
    # shellcheck disable=SC2086 # a list of words
    printf '%s\n' $names | xargs -P "$jobs" -n 1 clang-tidy-14 -p "$build" --quiet \
        >"$work/tidy" 2>"$work/tidy.err" || true
    sed -n -E 's;^([^ ]*/)?\.\./;;; s;^'"$PWD"'/;;; /^[^ ]+: (warning|error): /p' \
        "$work/tidy" | sort -u >"$work/found"
    grep -E '^[0-9]+ errors? ' "$work/tidy.err" >>"$work/found" || true
fi
if [ "$cppcheck" = yes ]; then
    need cppcheck
    echo 'analyse.sh: cppcheck'
    # shellcheck disable=SC2086 # a list of words
    cppcheck -j "$jobs" --std=c11 --enable=warning,performance,portability --quiet \
        -I src -I include -I tools -D_POSIX_C_SOURCE=200809L --inline-suppr \
        --suppress=missingIncludeSystem --suppressions-list=tools/dev/cppcheck.txt \
        --template='{file}:{line}:{column}: {severity}: {message} [{id}]' \
        $names 2>>"$work/found" || true
fi
cat "$work/found"
count=$(wc -l <"$work/found")
echo "$count findings"
[ "$count" -eq 0 ]

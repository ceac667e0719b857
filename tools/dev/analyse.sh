#!/bin/sh
# Static analysis of the library and the tools; the last line is "N findings".
set -eu

usage()
{
    cat <<'END'
Usage: tools/dev/analyse.sh [--tidy | --cppcheck | --gcc] [--help] [FILE...]

Runs clang-tidy (.clang-tidy), cppcheck (tools/dev/cppcheck.txt) and gcc -fanalyzer
(tools/dev/gcc-analyzer.txt) over src and tools, or over the files given, and says what
they find that is not known to be wrong; the last line is "N findings". Ends
with 1 if there are any.

  --tidy      clang-tidy alone
  --cppcheck  cppcheck alone
  --gcc       gcc -fanalyzer alone
END
}

tidy=yes
cppcheck=yes
gcc=yes
names=
while [ $# -gt 0 ]; do
    case $1 in
    --tidy) cppcheck=no gcc=no ;;
    --cppcheck) tidy=no gcc=no ;;
    --gcc) tidy=no cppcheck=no ;;
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
# Each file as it is compiled, without what the build adds about colours and dependencies.
if [ "$gcc" = yes ]; then
    need gcc
    echo 'analyse.sh: gcc -fanalyzer'
    for name in $names; do
        sed -n 's;^ *"command": "[^ ]* \(.*\) -MD .* -c \(../'"$name"'\)",$;gcc \1 \2;p' \
            "$build/compile_commands.json"
    done | sed 's/\\"/"/g; s;$; -S -o /dev/null -fanalyzer -fanalyzer-verbosity=0;
                s/$/ -fdiagnostics-plain-output/' >"$work/commands"
    (cd "$build" && xargs -d '\n' -P "$jobs" -n 1 sh -c <"$work/commands") \
        >"$work/gcc" 2>&1 || true
    sed -n -E 's;^\.\./;;; /^[^ ]+: (warning|error): /p' "$work/gcc" | sort -u |
        awk -F: 'NR == FNR { if ($1 !~ "^//") known[$1 " " $2]; next }
                 { check = $0; sub(/.*\[-Wanalyzer-/, "", check); sub(/\]$/, "", check)
                   if (check " " $1 in known) wrong++
                   else print }
                 END { print wrong + 0 " are known to be wrong" >"/dev/stderr" }' \
            tools/dev/gcc-analyzer.txt - >>"$work/found"
fi
cat "$work/found"
count=$(wc -l <"$work/found")
echo "$count findings"
[ "$count" -eq 0 ]

#!/bin/sh
# Build libmae and run its tests; the last line is "N passed, N failed".
set -eu

usage()
{
    cat <<'END'
Usage: tools/test.sh [--asan | --tsan | --valgrind] [--full] [--no-install] [--help] [TEST...]

Installs what is missing (tools/install_deps.sh), builds, runs all tests, or those named, and
sums them up; the last line is "N passed, N failed". Ends with 1 if a test failed, a test
program crashed or none ran. With CI set in the environment, warnings of the compiler are
errors.

  --asan        with AddressSanitizer and UndefinedBehaviorSanitizer, in build-asan/
  --tsan        with ThreadSanitizer, in build-tsan/
  --valgrind    under valgrind, in build-valgrind/; slow
  --full        the long tests too (sets MAE_TEST_FULL=1)
  --no-install  take the machine as it is
END
}

mode=release
install=yes
names=
while [ $# -gt 0 ]; do
    case $1 in
    --asan) mode=asan ;;
    --tsan) mode=tsan ;;
    --valgrind) mode=valgrind ;;
    --full) export MAE_TEST_FULL=1 ;;
    --no-install) install=no ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*)
        echo "test.sh: unknown option $1; see --help" >&2
        exit 2
        ;;
    *) names="$names $1" ;;
    esac
    shift
done

cd "$(dirname "$0")/.."

# A build that fails is a failed test: the last line always counts.
summed=no
trap '[ "$summed" = yes ] || echo "0 passed, 1 failed"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

build=build
native=
options='-Dtests=true'
wrapper=
slower=1
export OPENBLAS_NUM_THREADS=1
case $mode in
release)
    if [ -n "${CI:-}" ]; then native=tools/dev/release.ini; fi
    ;;
asan)
    build='build-asan'
    native=tools/dev/asan.ini
    slower=5
    export ASAN_OPTIONS="detect_leaks=1:strict_string_checks=1:${ASAN_OPTIONS:-}"
    export UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1:${UBSAN_OPTIONS:-}"
    ;;
tsan)
    build='build-tsan'
    native=tools/dev/tsan.ini
    slower=20
    export TSAN_OPTIONS="second_deadlock_stack=1:${TSAN_OPTIONS:-}"
    ;;
valgrind)
    build='build-valgrind'
    options="$options -Dbuildtype=debugoptimized"
    wrapper='valgrind --quiet --leak-check=full --error-exitcode=99'
    slower=30
    export CK_FORK=no
    # libjpeg's vector code pads rows, which memcheck takes for pixels never written
    export JSIMD_FORCENONE=1
    command -v valgrind >/dev/null 2>&1 || {
        echo 'test.sh: valgrind is not installed' >&2
        exit 1
    }
    ;;
esac
if [ -n "${CI:-}" ]; then options="$options --werror"; fi

if [ "$install" = yes ]; then tools/install_deps.sh --tests; fi
echo "test.sh: building in $build/ ($mode)"
# shellcheck disable=SC2086 # lists of words
if [ -f "$build/build.ninja" ]; then
    meson setup --reconfigure $options "$build" >/dev/null
else
    meson setup ${native:+--native-file "$native"} $options "$build" >/dev/null
fi || {
    tail -n 20 "$build/meson-logs/meson-log.txt" >&2
    exit 1
}
rebuild= # of named tests, what they need
if [ -z "$names" ]; then
    ninja -C "$build"
    rebuild=--no-rebuild
fi

echo 'test.sh: testing'
log=$build/meson-logs/testlog${wrapper:+-valgrind}.json # meson appends the wrapper's name
rm -f "$log"
# Whether tests failed is read from the log: it says which and how many. The style of the
# sources does not depend on the build.
if [ "$mode" = release ]; then set --; else set -- --no-suite style; fi
# What libhdf5 does with damaged metadata ends a child process, but not under valgrind.
if [ "$mode" = valgrind ]; then set -- "$@" --no-suite fuzz; fi
# shellcheck disable=SC2086 # a list of words
set -- "$@" $names
# One more at a time than there are processors: many wait for the disk or for each other.
# shellcheck disable=SC2086 # nothing or a word
meson test -C "$build" $rebuild --print-errorlogs --timeout-multiplier "$slower" \
    --num-processes $(($(nproc) + 1)) ${wrapper:+--wrapper "$wrapper"} "$@" || true
[ -s "$log" ] || {
    echo 'test.sh: no test ran' >&2
    exit 1
}
summed=yes
python3 tools/dev/tap_summary.py "$log"

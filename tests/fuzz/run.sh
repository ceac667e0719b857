#!/bin/sh
# Fuzz the readers of foreign bytes, and say what came of it.
set -eu

usage()
{
    cat <<'END'
Usage: tests/fuzz/run.sh [--minutes N] [--keep FOLDER] [--coverage] [TARGET...]

Builds the targets (clang, in build-fuzz/), runs each for N minutes of processor time, one
after the other, beginning with corpus/TARGET and what earlier runs have kept, and prints
a table. What crashes, leaks, hangs (10 s), allocates (256 MiB at once; libhdf5 2 GiB,
which it does not touch) or takes (1 GiB) too much is made smaller and listed; then the
status is 1. Listed, too, but fine is what libhdf5 did not survive in a child process. Meant for a machine that is busy with other things: it is nice.

  --minutes N    of processor time for each target; 0: none, only coverage (default 20)
  --keep FOLDER  new inputs and crashes go to FOLDER/TARGET (default build-fuzz/kept)
  --coverage     also the lines of the readers that corpus and kept inputs reach, by gcovr
                 (in build-cov/)
  TARGET...      default: all
END
}

minutes=20
keep=
coverage=no
while [ $# -gt 0 ]; do
    case $1 in
    --minutes | --keep)
        [ $# -gt 1 ] || {
            echo "run.sh: $1 needs a value" >&2
            exit 2
        }
        if [ "$1" = --minutes ]; then minutes=$2; else keep=$2; fi
        shift
        ;;
    --coverage) coverage=yes ;;
    -h | --help)
        usage
        exit 0
        ;;
    -*)
        echo "run.sh: unknown option $1; see --help" >&2
        exit 2
        ;;
    *) break ;;
    esac
    shift
done

if [ -n "$keep" ]; then
    mkdir -p "$keep"
    keep=$(cd "$keep" && pwd)
fi
cd "$(dirname "$0")/../.."
keep=${keep:-$PWD/build-fuzz/kept}
corpus=tests/fuzz/corpus
if [ $# -eq 0 ]; then
    for folder in "$corpus"/*; do set -- "$@" "${folder##*/}"; done
fi
for target; do
    [ -f "tests/fuzz/fuzz_$target.c" ] || {
        echo "run.sh: no target $target; there are $(cd "$corpus" && echo *)" >&2
        exit 2
    }
done

export OPENBLAS_NUM_THREADS=1
# what libhdf5 is refused it reports; it asks for more than there is before it looks
export ASAN_OPTIONS="allocator_may_return_null=1:max_allocation_size_mb=2048"
export UBSAN_OPTIONS="print_stacktrace=1"
if [ -d /dev/shm ]; then export TMPDIR=/dev/shm; fi

# build FOLDER NATIVE-FILE PREFIX TARGET...
build()
{
    folder=$1 native=$2 prefix=$3
    shift 3
    if [ ! -d "$folder" ]; then
        meson setup "$folder" --native-file "tools/dev/$native.ini" >"$log" || {
            cat "$log" >&2
            exit 1
        }
    fi
    for name; do
        set -- "$@" "tests/fuzz/$prefix$name"
        shift
    done
    nice ninja -C "$folder" "$@" >"$log" || {
        cat "$log" >&2
        exit 1
    }
}

# Processor time that a process and its children have used, in seconds; nothing if it has
# ended. What libhdf5 reads, a child reads.
used()
{
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null |
        awk -v hz="$(getconf CLK_TCK)" '$1 != "Z" { print int(($12 + $13 + $14 + $15) / hz) }'
}

# The last number behind WORD in the log, 0 if there is none: last WORD.
last()
{
    sed -n "s/.*$1 *\([0-9][0-9]*\).*/\1/p" "$log" | tail -n 1 | grep . || echo 0
}

# The program of a target, in place of this shell: start TARGET OPTION...
start()
{
    program=build-fuzz/tests/fuzz/fuzz_$1
    shift
    exec nice -n 19 "$program" -timeout=10 -rss_limit_mb=1024 -malloc_limit_mb="$limit" "$@"
}

# How often a target has failed: count TARGET PATTERN.
count()
{
    find "$keep/$1.found" -name "$2" | wc -l
}

# fuzz TARGET SECONDS: until it has used them or found something. Sets spent, executions,
# edges, features.
fuzz()
{
    start "$1" -print_final_stats=1 -artifact_prefix="$keep/$1.found/" "$keep/$1" \
        "$corpus/$1" >"$log" 2>&1 &
    fuzzer=$!
    now=0
    while seconds=$(used $fuzzer) && [ -n "$seconds" ]; do
        now=$seconds
        if [ "$now" -ge "$2" ]; then kill -USR1 $fuzzer 2>/dev/null || true; fi
        sleep 1
    done
    wait $fuzzer || true
    spent=$((spent + now))
    executions=$((executions + $(last number_of_executed_units:)))
    edges=$(last cov:)
    features=$(last ft:)
}

# Make what was found smaller: INPUT.small, with a report INPUT.txt. What fails in the
# child of a trial alone (libhdf5 does) is refused as it should be: INPUT.child. A look at
# its report, where there is one, tells whether it is a fault of ours. sort_out TARGET
sort_out()
{
    for input in "$keep/$1.found"/*[0-9a-f]; do
        if [ ! -f "$input" ]; then continue; fi
        if (start "$1" "$input" >"$input.txt" 2>&1); then
            (MAE_FUZZ_NO_TRIAL=1 start "$1" "$input" >"$input.txt" 2>&1) || true
            mv "$input" "$input.child"
        else
            cp "$input" "$input.small"
            (start "$1" -minimize_crash=1 -max_total_time=60 \
                -exact_artifact_path="$input.small" "$input" >/dev/null 2>&1) || true
        fi
    done
}

# The files of the sources that a target is about, as a regular expression.
readers()
{
    case $1 in
    card) echo 'src/model/card(_read)?\.c|src/store/json\.c' ;;
    checkpoint)
        echo 'src/store/(checkpoint_read|ckptblock|h5in|h5list|h5set|h5chunks|vfd)\.c|' \
            'src/model/(snapshot|snapshot_model|describe)\.c'
        ;;
    conf) echo 'src/conf/.*\.c' ;;
    events) echo 'src/store/events\.c' ;;
    h5images) echo 'src/store/(h5images|h5in|h5set|h5chunks|vfd)\.c' ;;
    idx) echo 'src/data/idx\.c' ;;
    image) echo 'src/image/(jpeg|png|exif|image)\.c' ;;
    import) echo 'src/model/(import|import_shapes|names)\.c' ;;
    jsonl) echo 'src/store/jsonl?\.c' ;;
    pseudo) echo 'src/data/pseudo\.c|src/store/csv_read\.c' ;;
    safetensors) echo 'src/store/safetensors_read\.c' ;;
    tar) echo 'src/store/tar_read\.c|src/data/(tar_index|ds_tar)\.c' ;;
    esac | tr -d ' \n'
}

# Lines of its readers that a target's inputs reach, in per cent: lines TARGET.
lines()
{
    find build-cov -name '*.gcda' -delete
    for folder in "$corpus/$1" "$keep/$1"; do
        if [ -z "$(ls "$folder")" ]; then continue; fi
        CK_FORK=no "build-cov/tests/fuzz/replay_$1" "$folder" 0 >"$log" 2>&1 ||
            echo "run.sh: replay_$1 $folder failed" >&2
    done
    gcovr -r . --object-directory build-cov -f "($(readers "$1"))" 2>/dev/null |
        tee "$keep/$1.lines" | sed -n 's/^TOTAL.* \([0-9]*\)%.*/\1 %/p'
}

log=$keep/log
mkdir -p "$keep"
status=0
if [ "$minutes" -gt 0 ]; then build build-fuzz fuzz fuzz_ "$@"; fi
if [ "$coverage" = yes ]; then build build-cov cov replay_ "$@"; fi

printf '%-12s %8s %12s %8s %6s %9s %6s %6s\n' target 'CPU s' executions 'per s' edges \
    features found lines
for target; do
    rm -rf "$keep/$target.found"
    mkdir -p "$keep/$target" "$keep/$target.found"
    log=$keep/$target.log
    limit=256
    case $target in checkpoint | h5images) limit=2048 ;; esac
    spent=0 executions=0 edges=0 features=0 reached=
    while [ "$spent" -lt $((60 * minutes)) ] && [ "$(count "$target" '*[0-9a-f]')" -lt 10 ]; do
        fuzz "$target" $((60 * minutes - spent))
    done
    sort_out "$target"
    if [ "$coverage" = yes ]; then reached=$(lines "$target"); fi
    found=$(count "$target" '*.small')
    if [ "$found" -gt 0 ]; then status=1; fi
    printf '%-12s %8d %12d %8d %6d %9d %6d %6s\n' "$target" "$spent" "$executions" \
        $((executions / (spent > 0 ? spent : 1))) "$edges" "$features" "$found" "$reached"
done
find "$keep" -name '*.small' -o -name '*.child'
exit $status

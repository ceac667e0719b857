#!/bin/sh
# limits.sh TOOLS: little memory, few descriptors, small files, few threads: one clear
# message and exit code 1, or success; never a crash, a hang or half a file. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
unset OPENBLAS_NUM_THREADS # as users start the tools
steps=$(repetitions 12 60 "${2:-}")

data set 24 8
config run.yaml
"$tools/mae-pretrain" run.yaml -q >told 2>&1
mkdir -p shards folder/a folder/b
for i in $(seq 40); do
    png >"folder/a/$i.png"
    png >"folder/b/$i.png"
    tar -cf "shards/$i.tar" -C folder "a/$i.png" "b/$i.png"
done
"$tools/mae-data" pack folder packed.h5 >told 2>&1

# limited LIMIT COMMAND...: the command under "ulimit LIMIT", for at most a minute.
limited()
{
    limit=$1
    shift
    # shellcheck disable=SC2016,SC2086 # for that shell; an option and its value
    timeout -s KILL 60 sh -c 'ulimit $1; shift; exec "$@"' sh "$limit" "$@"
}

# plain LIMIT COMMAND...: a problem if it ends otherwise than with 0, or 1 and a message.
# The program loader's own messages count: there is no program yet.
plain()
{
    code=0
    limited "$@" >said 2>&1 || code=$?
    case $code in
    0) ends=$((ends + 1)) ;;
    1) grep -q '^mae-' said || echo "$1: no message: $(cat said)" ;;
    127) grep -q 'error while loading shared libraries' said || cat said ;;
    *) echo "$*: exit code $code: $(tail -n 3 said)" ;;
    esac
}

# ladder NAME FROM TO COMMAND...: address spaces from FROM to TO MB.
ladder()
{
    name=$1 from=$2 to=$3
    shift 3
    ends=0
    : >problems
    for i in $(seq 0 "$steps"); do
        rm -rf made made.*
        plain "-v $(((from + (to - from) * i / steps) * 1024))" "$@" >>problems
        [ "$code" = 0 ] || ! [ -e made.h5 ] || echo "made.h5 at step $i" >>problems
        find . -name '*.mae-tmp' >>problems
    done
    report "$name with little memory" "$(cat problems)"
    enough=$ends
}

# smallest COMMAND...: the address space in MB that the command needs, in least.
smallest()
{
    least=900 low=20
    while [ $((least - low)) -gt 1 ]; do
        middle=$(((least + low) / 2))
        rm -rf made
        if limited "-v $((middle * 1024))" "$@" >said 2>&1; then least=$middle; else low=$middle; fi
    done
}

# enough: the last ladder led to success.
enough()
{
    report 'and with enough' "$([ "$enough" -gt 0 ] || tail -n 3 said)"
}

if sanitized "$tools/mae-pretrain"; then
    skip 'little memory' 'the sanitizer reserves more'
else
    ladder 'training' 20 900 "$tools/mae-pretrain" run.yaml -o made
    enough
    ladder 'training with workers' 100 900 "$tools/mae-pretrain" run.yaml -o made \
        data.train=folder data.workers=4 train.threads=2
    enough
    # Just below what is enough, saving is what fails; all threads share one heap, so that
    # there is one such place. In f32, libraries multiply.
    export MALLOC_ARENA_MAX=1
    for precision in auto f32; do
        smallest "$tools/mae-pretrain" run.yaml -o made data.train=folder data.workers=4 \
            train.precision=$precision
        ladder "$precision just below enough" $((least - 14)) $((least + 2)) \
            "$tools/mae-pretrain" run.yaml -o made data.train=folder data.workers=4 \
            train.precision=$precision
        enough
    done
    unset MALLOC_ARENA_MAX
    ladder 'training in f32' 20 900 "$tools/mae-pretrain" run.yaml -o made \
        train.precision=f32 data.workers=4
    enough
    ladder 'features' 20 900 "$tools/mae-embed" run/last.h5 set -o made.h5 --threads 1
    enough
    ladder 'packing' 20 900 "$tools/mae-data" pack folder made.h5
    enough
fi

for few in 64 16; do
    for form in folder shards packed.h5; do
        rm -rf made
        check "$few descriptors, $form" 0 '4 epochs' limited "-n $few" \
            "$tools/mae-pretrain" run.yaml -o made "data.train=$form" data.workers=6
    done
    check "$few descriptors, packing shards" 0 '80 images' \
        limited "-n $few" "$tools/mae-data" pack shards made.tar
    rm -f made.tar
done
rm -rf made
check '8 descriptors' 1 'Too many open files' limited '-n 8' \
    "$tools/mae-pretrain" run.yaml -o made data.train=shards data.workers=6
check 'a limit on file sizes' 1 'File too large' limited '-f 20' \
    "$tools/mae-pretrain" run.yaml -o made
report 'no half a file' "$(find . -name '*.mae-tmp')$(damage made)"

if setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    chmod 755 "$work"
    mkdir -m 777 nobody
    # where OpenBLAS itself cannot start one, it ends the process before the tool begins
    check 'no more threads' 1 '^mae-pretrain: .*thread.*Resource temporarily unavailable' \
        setpriv --reuid=65534 --regid=65534 --clear-groups timeout 60 \
        env OPENBLAS_NUM_THREADS=1 prlimit --nproc=1 "$tools/mae-pretrain" run.yaml -o nobody/run train.threads=2
    check 'leaves nothing' 0 '^absent$' absent nobody/run
else
    skip 'no more threads' 'only root becomes somebody else'
fi
echo "1..$count"

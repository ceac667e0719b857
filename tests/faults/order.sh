#!/bin/sh
# order.sh TOOLS: what is saved is on the disk before it takes the old one's name, and so is
# the name before training goes on: fsync(file), rename, fsync(folder). TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"
command -v strace >/dev/null || skip_all 'no strace'
strace -o /dev/null true 2>/dev/null || skip_all 'tracing is not permitted'

data set 24 8
data val 7 8
config run.yaml
# Who looks for leaks at the end traces the program for that, which strace does already.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"

# traced FILE COMMAND...: its calls, each with the paths of its descriptors, a line a call.
traced()
{
    trace=$1 code=0
    shift
    strace -f -y -s 4096 -o "$trace" -e \
        trace=fsync,fdatasync,rename,renameat,renameat2,link,linkat "$@" >told 2>&1 ||
        code=$?
    [ "$code" = 0 ] || tail -n 5 told | sed 's/^/# /'
    return "$code"
}

# disorder TRACE: renames whose file was not synchronised before and its folder right after.
# A link is to a file that was; its rename needs no other fsync of it. previous.h5 is a link
# to what earlier sessions may have synchronised, and what was before it will do as well.
disorder()
{
    sed -n -e 's/^[0-9]* *//' -e '/= 0$/p' "$1" | awk -F'"' '
        function folder(path) { return path ~ /\// ? path : "./" path }
        function base(path) { sub(/.*\//, "", path); return path }
        /^f(data)?sync/ {
            path = $0
            sub(/^[^<]*</, "", path)
            sub(/>.*/, "", path)
            sub(/ .deleted.$/, "", path)
            if (waiting != "" && index(path, ".mae-tmp") == 0)
                waiting = ""
            synced[base(path)] = 1
        }
        /^link/ { if (base($2) in named) synced[base($4)] = 1 }
        /^rename/ && base($4) != "previous.h5" {
            if (waiting != "")
                print waiting ": its folder was not synchronised"
            if (!(base($2) in synced))
                print $4 ": renamed before it was synchronised"
            delete synced[base($2)]
            named[base($4)] = 1
            waiting = $4
            renames[base($4)]++
        }
        END {
            if (waiting != "")
                print waiting ": its folder was not synchronised"
            for (name in renames)
                print name, renames[name] >"renames"
        }'
}

# renamed NAME...: those that the last disorder has not seen.
renamed()
{
    for name in "$@"; do
        grep -q "^$name " renames || echo "$name was never renamed into place"
    done
}

train='train.save_minutes=1e-7 data.val=val train.preview_every=1 train.report=true'
# shellcheck disable=SC2086 # words
traced calls "$tools/mae-pretrain" run.yaml $train train.stop_after=1e-7 || true
report 'a run that is stopped' "$(disorder calls)"
# shellcheck disable=SC2086
traced calls "$tools/mae-pretrain" run.yaml $train
report 'one that goes on' "$(disorder calls)"
report 'all files of it' \
    "$(renamed last.h5 best.h5 checkpoint-4.h5 config.yaml log.txt report.html)"
grep -v sync calls >bare
check 'this would show' 0 'last.h5: renamed before it was synchronised' disorder bare
grep -v 'sync.*/run>' calls >bare
check 'and this' 0 'last.h5: its folder was not synchronised' disorder bare
traced calls "$tools/mae-embed" run/last.h5 set -o out.h5
report 'features' "$(disorder calls)"
traced calls "$tools/mae-convert" run/last.h5 out.safetensors
report 'weights' "$(disorder calls; renamed out.safetensors)"
echo "1..$count"

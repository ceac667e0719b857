#!/bin/sh
# stdout.sh TOOLS: standard output that is closed, full, or whose reader has gone, for every
# tool, plain and --json: no crash, one message, and no lost training. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

data set 24 8
config run.yaml
"$tools/mae-pretrain" run.yaml -q >told 2>&1
"$tools/mae-finetune" run.yaml -o tuned finetune.checkpoint=run/last.h5 -q >told 2>&1

# into HOW COMMAND...: the command with such a standard output; its exit code, its messages.
into()
{
    how=$1 code=0
    shift
    case $how in
    closed) "$@" >&- 2>told || code=$? ;;
    full) "$@" >/dev/full 2>told || code=$? ;;
    broken) # the reader is gone before anything is written
        mkfifo pipe
        : <pipe &
        {
            wait $!
            "$@" 2>told || echo $? >ended
        } >pipe
        if [ -e ended ]; then code=$(cat ended); fi
        rm -f pipe ended
        ;;
    esac
    cat told
    return "$code"
}

# nowhere COMMAND...: the three kinds, plain and as JSON: exit code 1 and a line that says
# why, each time.
nowhere()
{
    tool=$1
    shift
    for json in '' --json; do
        for how in closed full broken; do
            rm -rf made made.*
            check "$tool $* $json, $how" 1 "^$tool: standard output: cannot write" \
                into "$how" "$tools/$tool" "$@" $json
        done
    done
}

nowhere mae-inspect run/last.h5
nowhere mae-data check set
nowhere mae-embed run/last.h5 set -o made.h5
nowhere mae-eval run/last.h5 --train set --test set
nowhere mae-predict tuned/last.h5 set
nowhere mae-reconstruct run/last.h5 --data set -o made.png
nowhere mae-visualize run/last.h5 -o made
nowhere mae-pretrain run.yaml
nowhere mae-finetune run.yaml -o tuned finetune.checkpoint=run/last.h5
for question in --help --version; do
    check "mae-bench $question" 1 'standard output: cannot write' \
        into full "$tools/mae-bench" "$question"
done

# Hours of training are not lost because nobody listens.
check 'a run that nobody reads' 1 'standard output: cannot write' \
    into broken "$tools/mae-pretrain" run.yaml -o new
check 'is complete' 0 '^trained *4 epochs' "$tools/mae-inspect" new/last.h5
check 'messages that nobody reads' 0 '4 epochs, 24 steps' \
    sh -c '"$@" 2>/dev/full' sh "$tools/mae-pretrain" run.yaml -o other
check 'closed messages' 0 '4 epochs, 24 steps' \
    sh -c '"$@" 2>&-' sh "$tools/mae-pretrain" run.yaml -o third
for folder in new other third; do
    report "nothing strange is in $folder" "$(damage "$folder")$(differences run "$folder")"
done
check 'nothing is open' 0 '4 epochs' \
    sh -c '"$@" <&- 2>&- | cat' sh "$tools/mae-pretrain" run.yaml -o fourth
report 'its files are whole' "$(damage fourth)$(differences run fourth)"
"$tools/mae-pretrain" run.yaml -o fifth <&- >&- 2>&- || true
report 'with no descriptor at all, too' "$(damage fifth)$(differences run fifth)"
echo "1..$count"

#!/bin/sh
# names.sh TOOLS: data sets with links that go in circles, pipes, devices, folders that
# cannot be read and names that are none. No hang, and what is shown or written of a name is
# escaped. TAP on stdout.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$(realpath "$0")")/lib.sh"

config run.yaml
# quick COMMAND...: the command, which has a minute.
quick()
{
    timeout 60 "$@"
}

# train SET [KEY=VALUE...]
train()
{
    set_name=$1
    shift
    rm -rf run
    quick "$tools/mae-pretrain" run.yaml "data.train=$set_name" "$@" </dev/null
}

data good 24 8
train good -q >told 2>&1
mv run model

# Links, pipes, devices.
mkdir -p circle/a circle/b empty hollow/a
png >circle/a/1.png
png >circle/b/2.png
ln -s .. circle/a/up
ln -s ../../circle circle/b/round
ln -s loop loop
mkfifo pipe circle/a/pipe.png
ln -s /dev/zero circle/b/zero.png
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")' 2>/dev/null || true
check 'folders in a circle' 0 '^2 images read, 0 bad' quick "$tools/mae-data" check circle
check 'are told' 0 '2 links to folders met before left out' \
    quick "$tools/mae-data" check circle
check 'training on them' 0 '4 epochs' train circle train.batch_size=2
check 'features of them' 0 '2 images' \
    quick "$tools/mae-embed" model/last.h5 circle -o circle.csv
ln -s nowhere circle/a/dangling.png
check 'a link to nowhere' 3 'a/dangling.png: cannot be opened: No such file' \
    quick "$tools/mae-data" check circle
check 'a link to itself' 1 'loop.*Too many levels of symbolic links' train loop
check 'an empty folder' 3 'empty' train empty
check 'an empty class' 3 'hollow' train hollow
for place in pipe socket /dev/zero /dev/null; do
    [ -e "$place" ] || continue
    check "$place as the data set" 2 "$place.*expected a folder or a file" train "$place"
    check "$place as the checkpoint" 3 "$place: expected a regular file, found" \
        quick "$tools/mae-inspect" "$place"
    check "$place to go on from" 3 "$place: expected a regular file, found" \
        train good "train.resume=$place"
    check "$place as the configuration" 2 "$place" quick "$tools/mae-pretrain" "$place"
    check "$place as an image" 3 "$place" \
        quick "$tools/mae-reconstruct" model/last.h5 "$place" -o made.png
done

# Somebody else's folder.
mkdir -p closed/a closed/b
png >closed/a/1.png
png >closed/b/2.png
chmod 0 closed/b
if setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null; then
    chmod 755 "$work"
    check 'a folder that cannot be read' 1 "folder 'b'.*Permission denied" \
        setpriv --reuid=65534 --regid=65534 --clear-groups \
        "$tools/mae-data" check closed
else
    skip 'a folder that cannot be read' 'only root becomes somebody else'
fi
chmod 755 closed/b

# Names. Two classes, so that there is something to learn.
escape=$(printf '\033[31m') line=$(printf 'two\nlines') bad=$(printf 'latin\351\377')
for class in "<script>alert(1)</script>" "'quo\"tes\\,;"; do
    # a slash cannot be in a name: </script> needs a folder, which is no class
    class=$(printf '%s' "$class" | tr / _)
    for image in "$escape" "$line" "$bad" '<img src=x onerror=alert(2)>' '"; rm -rf x' \
        "$(printf 'tab\there')" '-q' '=1+1'; do
        mkdir -p "names/$class$escape" "names/$line$class"
        png >"names/$class$escape/$image.png"
        png >"names/$line$class/$image.png"
    done
done
echo broken >"names/$line'quo\"tes\\,;/$escape$line.png"

# tame FILE...: lines with control characters other than the end of a line.
tame()
{
    LC_ALL=C grep -a -n "$(printf '[\001-\010\013-\037\177]')" "$@" | cat -v | cut -c 1-200 ||
        true
}

# valid FILE...: those that are no JSON, or no UTF-8.
valid()
{
    for file in "$@"; do
        /usr/bin/python3 -c 'import json, sys
for line in [open(sys.argv[1], encoding="utf-8").read()]:
    json.loads(line)' "$file" 2>&1 | tail -n 1
    done
}

# markup FILE...: tags that came in with a name.
markup()
{
    grep -a -n -o -e '<script>alert.\{0,20\}' -e '<img src=x.\{0,20\}' "$@" || true
}

code=0
tune()
{
    quick "$tools/mae-finetune" run.yaml -o tuned finetune.init=random data.train=names \
        data.val=names train.report=true data.max_bad_fraction=0.5 "$@"
}
# shown NAME COMMAND...: it succeeds and what it says steers no terminal.
shown()
{
    name=$1
    shift
    code=0
    "$@" >said 2>told || code=$?
    report "$name" "$([ "$code" = 0 ] || head -n 5 told | cut -c 1-300)$(tame said told)"
}
check 'a bad one' 3 'lines.png' "$tools/mae-data" check names
report 'and its name steers no terminal' "$(tame out)"
rm names/*/*"$escape$line.png"
shown 'check' "$tools/mae-data" check names
shown 'check, JSON' "$tools/mae-data" check names --json
report 'is JSON' "$(valid said)"
shown 'training' tune
check 'the report names them' 0 '&lt;script&gt;alert(1)' cat tuned/report.html
report 'the report has no markup of theirs' "$(markup tuned/report.html)"
shown 'classes of the checkpoint' "$tools/mae-inspect" tuned/last.h5
shown 'as JSON' "$tools/mae-inspect" tuned/last.h5 --json
report 'is JSON, too' "$(valid said)"
shown 'predictions' "$tools/mae-predict" tuned/last.h5 names
shown 'predictions as JSON' "$tools/mae-predict" tuned/last.h5 names --json
shown 'accuracy' "$tools/mae-eval" tuned/last.h5 --test names
shown 'accuracy, JSON' "$tools/mae-eval" tuned/last.h5 --test names --json
report 'is JSON as well' "$(valid said)"
shown 'features' "$tools/mae-embed" model/last.h5 names -o made.csv
/usr/bin/python3 -c 'import csv
rows = list(csv.reader(open("made.csv", encoding="utf-8", errors="surrogateescape", newline="")))
assert len({len(row) for row in rows}) == 1, {len(row) for row in rows}
assert len(rows) > 30, len(rows)' >told 2>&1 || true
report 'is a table' "$(tail -n 1 told)"
echo "1..$count"

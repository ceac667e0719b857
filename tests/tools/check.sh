#!/bin/sh
# Sourced by the scripts here: a working folder that goes away, checks as TAP, small files.

count=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1

# check NAME CODE PATTERN COMMAND...: the command ends with CODE, and its output (both
# streams) has a line that matches the basic regular expression PATTERN.
check()
{
    name=$1 want=$2 pattern=$3
    shift 3
    count=$((count + 1))
    got=0
    "$@" >out 2>&1 || got=$?
    if [ "$got" -eq "$want" ] && grep -q -e "$pattern" out; then
        echo "ok $count - $name"
    else
        echo "not ok $count - $name"
        echo "# exit code $got, expected $want; output, to match: $pattern"
        sed 's/^/# /' out
    fi
}

# skip_all REASON: end the script as skipped.
skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

# sanitized PROGRAM: whether it was built with the address or the thread sanitizer, which
# reserve terabytes of address space and keep freed memory for a while.
sanitized()
{
    grep -q -e '__[at]san_init' "$1"
}

# None of these files is there.
absent()
{
    for file in "$@"; do
        if [ -e "$file" ]; then
            echo "$file exists"
            return 1
        fi
    done
    echo "absent"
}

# A PNG of one grey pixel.
png()
{
    printf '\211PNG\r\n\032\n\0\0\0\rIHDR\0\0\0\1\0\0\0\1\10\0\0\0\0\072\176\233\125'
    printf '\0\0\0\nIDATx\332ch\0\0\0\202\0\201\332E\10;\0\0\0\0IEND\256B\140\202'
}

# A PNG of two.
png_pair()
{
    printf '\211PNG\15\12\32\12\0\0\0\15IHDR\0\0\0\2\0\0\0\1\10\0\0\0\0\321I\40V'
    printf '\0\0\0\13IDATx\234chh\0\0\1\203\1\1\0305\42\25\0\0\0\0IEND\256B\140\202'
}

#!/bin/sh
# Sourced by the scripts here: a working folder that goes away, and checks as TAP.

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

#!/bin/sh
# Sizes of files and lines, no binary or large files, no marks of unfinished work.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

max_kib=256

# lines_above LIMIT FILES...: those with more lines.
lines_above()
{
    limit=$1
    shift
    for file in "$@"; do
        lines=$(wc -l <"$file")
        if [ "$lines" -gt "$limit" ]; then echo "$file: $lines lines"; fi
    done
}

# Bytes that continue a UTF-8 character are no columns.
long_lines()
{
    for file in "$@"; do
        tr -d '\200-\277' <"$file" |
            awk -v file="$file" 'length > 90 { print file ":" NR ": " length " columns" }'
    done
}

# Text files only; empty ones pass.
binary_files()
{
    for file in "$@"; do
        if [ -s "$file" ] && ! grep -Iq . "$file" && [ -n "$(tr -d '\n' <"$file")" ]; then
            echo "$file"
        fi
    done
}

large_files()
{
    for file in "$@"; do
        if [ "$(wc -c <"$file")" -gt $((max_kib * 1024)) ]; then echo "$file"; fi
    done
}

# shellcheck disable=SC2046,SC2086 # names without white space, checked first
{
    report 'names of files have no white space' "$(files '*' | grep '[[:space:]"]' || true)"
    report 'mains have at most 200 lines' "$(lines_above 200 $(files 'tools/mae_*.c'))"
    report 'C files have at most 500 lines' "$(lines_above 500 $(files '*.c' '*.h'))"
    report 'lines have at most 90 columns' "$(long_lines $(files '*.c' '*.h'))"
    others=$(files '*' | grep -v '^tests/golden/' || true)
    report 'no binary files outside tests/golden, tests/fuzz/corpus' \
        "$(binary_files $(printf "%s\n" "$others" | grep -v "^tests/fuzz/corpus/"))"
    report "no files above $max_kib KiB outside tests/golden" "$(large_files $others)"
    report 'no marks of unfinished work' \
        "$(printf '%s\n' "$others" | xargs grep -InE '\b(TO[D]O|FIX[M]E|X[X]X|HA[C]K)\b' || true)"
}
finish

# shellcheck shell=sh
# What the style checks share: TAP on stdout and the list of the project's files.
# A check is `check.sh SOURCE_ROOT [...]`; it sources this file, which changes to the root.
# A file's name contains no white space (the check "files" sees to that).

LC_ALL=C
export LC_ALL
cd "${1:?usage: $0 SOURCE_ROOT}" || exit 1
count=0

# skip_all REASON: end the check as skipped.
skip_all()
{
    echo "1..0 # SKIP $1"
    exit 0
}

# report NAME PROBLEMS: one test that passes if PROBLEMS is empty; lists at most 40 lines.
report()
{
    count=$((count + 1))
    if [ -z "$2" ]; then
        echo "ok $count - $1"
    else
        echo "not ok $count - $1"
        printf '%s\n' "$2" | head -n 40 | sed 's/^/# /'
    fi
}

# finish: the plan; last command of a check.
finish()
{
    echo "1..$count"
}

# files PATTERN...: the files that belong to the project and match one of the shell
# patterns: tracked or new ones in a git checkout, else all but build and run folders.
files()
{
    if [ -e .git ] && git rev-parse --git-dir >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard -- "$@" | sort -u
    else
        find . \( -name .git -o -path './build*' -o -path './runs' -o -name .cache \
            -o -name __pycache__ \) -prune -o -type f -print | sed 's|^\./||' | sort |
            while IFS= read -r file; do
                for pattern in "$@"; do
                    # shellcheck disable=SC2254 # the pattern is meant as one
                    case $file in
                    $pattern) echo "$file" && break ;;
                    esac
                done
            done
    fi | while IFS= read -r file; do
        if [ -f "$file" ]; then echo "$file"; fi # a deleted file is still tracked
    done
}

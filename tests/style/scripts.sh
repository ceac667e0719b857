#!/bin/sh
# Shell scripts parse, say what shell they need, and pass shellcheck if it is installed.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

for script in $(files '*.sh' '.ci/*'); do
    shell=$(sed -n '1s|^#!.*[/ ]\(ba\)\{0,1\}sh$|\1sh|p' "$script")
    [ "${script##*/}" != lib.sh ] || shell="sh" # sourced
    if [ -z "$shell" ]; then
        report "$script" 'the first line names neither sh nor bash'
    elif command -v shellcheck >/dev/null 2>&1; then
        report "$script" "$(shellcheck -x -P SCRIPTDIR -s "$shell" "$script" 2>&1 || true)"
    elif command -v "$shell" >/dev/null 2>&1; then
        report "$script" "$("$shell" -n "$script" 2>&1 || true)"
    fi
done
[ "$count" -gt 0 ] || skip_all 'no scripts'
finish

#!/bin/sh
# All C files are formatted with .clang-format by the version it names.
set -eu
# shellcheck source=lib.sh
. "$(dirname "$0")/lib.sh"

wanted=$(sed -n 's/^# clang-format \([0-9]*\)$/\1/p' .clang-format)
for tool in "clang-format-$wanted" clang-format; do
    version=$($tool --version 2>/dev/null | sed -n 's/.*version \([0-9]*\)\..*/\1/p') || true
    [ "$version" != "$wanted" ] || break
done
[ "$version" = "$wanted" ] || skip_all "clang-format $wanted is not installed"

for file in $(files '*.c' '*.h'); do
    if ! "$tool" --dry-run -Werror "$file" 2>/dev/null; then
        wrong="${wrong:-}$file
"
    fi
done
report "formatted as clang-format $wanted does (mend: $tool -i FILE)" "${wrong:-}"
finish

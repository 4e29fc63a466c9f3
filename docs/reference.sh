#!/usr/bin/env bash
#
# reference.sh - prints docs/reference.md, made from the public headers in the order in which weft.h
# names them.
#
#   docs/reference.sh > docs/reference.md      after a docstring has changed
#   docs/reference.sh --check                  says where the page differs; 1 if it does
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

page() {
    local names name headers=()
    names=$(sed -nE 's|^ \* +weft/([a-z]+)\.h .*|\1|p' weft.h)
    for name in $names; do
        headers+=(./*/weft/"$name".h)
    done
    for name in ./*/weft/*.h; do # those that weft.h does not include come last
        [[ " ${headers[*]} " == *" $name "* ]] || headers+=("$name")
    done
    awk -f docs/reference.awk weft.h "${headers[@]}"
}

if [ "${1:-}" = --check ]; then
    page | diff docs/reference.md - || {
        echo "docs/reference.md is not what the headers give: docs/reference.sh > docs/reference.md"
        exit 1
    }
else
    page
fi

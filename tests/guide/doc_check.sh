#!/usr/bin/env bash
#
# doc_check - what the pages show is what the tree holds.
#
# In README.md and docs/*.md a fenced block below a line
#     <!-- file: PATH -->      must equal the file, letter by letter
#     <!-- output: NAME -->    must match tests/guide/NAME.expect, line by line
# and every program of examples/guide must be shown on some page, with its output. What a page calls
# `file.c:function` must be there.
# Prints one line per block; ends with 1 if one is wrong. With --fill it first writes the files into
# their blocks.
set -u
cd "$(dirname "$0")/../.." || exit 2

failed=0
scratch=$(mktemp -d) || exit 2
trap 'rm -rf "$scratch"' EXIT

tell() { # tell ok|not-ok what
    printf '%s %s\n' "$1" "$2"
    [ "$1" = ok ] || failed=1
}

# Each marked block of page $1 goes to a file of its own: $scratch/N.kind.name holds the block.
split_page() {
    awk -v scratch="$scratch" '
        /^<!-- (file|output): [^ ]+ -->$/ { kind = substr($2, 1, length($2) - 1); name = $3; next }
        /^```/ && inside { inside = 0; close(block); next }
        /^```/ && kind != "" {
            inside = 1
            block = sprintf("%s/%03d.block", scratch, ++count)
            printf "" > block
            print block, kind, name
            kind = ""
            next
        }
        /^```/ { skip = !skip; next }
        inside { print > block }
        !inside && !skip && kind != "" && NF { print "-", kind, name; kind = "" }
    ' "$1"
}

# Whether the lines of $2 match the regular expressions of $1, one for one.
matches() {
    local -a want got
    mapfile -t want <"$1" && mapfile -t got <"$2" || return 1
    [ "${#want[@]}" -eq "${#got[@]}" ] || return 1
    local i
    for i in "${!want[@]}"; do
        [[ ${got[i]} =~ ${want[i]} ]] || return 1
    done
}

# Writes page $1 again, with each file in its block.
fill_page() {
    awk '
        /^<!-- file: [^ ]+ -->$/ { name = $3 }
        /^```/ && skip { skip = 0 }
        !skip { print }
        /^```/ && name != "" {
            while ((getline line < name) > 0)
                print line
            close(name)
            name = ""
            skip = 1
        }
    ' "$1" >"$scratch/page" && cat "$scratch/page" >"$1"
}

if [ "${1:-}" = --fill ]; then
    for page in README.md docs/*.md; do
        fill_page "$page"
    done
fi

for page in README.md docs/*.md; do
    while read -r block kind name; do
        if [ "$block" = - ]; then
            tell not-ok "$page: no block follows '$kind: $name'"
        elif [ "$kind" = file ] && cmp -s "$block" "$name"; then
            tell ok "$page shows $name"
        elif [ "$kind" = output ] && matches "tests/guide/$name.expect" "$block"; then
            tell ok "$page shows the output of $name"
        else
            tell not-ok "$page: the block '$kind: $name' differs from the $kind"
        fi
    done < <(split_page "$page")
done

for source in examples/guide/*.c; do
    name=$(basename "$source" .c)
    for mark in "<!-- file: $source -->" "<!-- output: $name -->"; do
        grep -qxF -e "$mark" README.md docs/*.md || tell not-ok "no page has $mark"
    done
    [ -f "tests/guide/$name.expect" ] || tell not-ok "no tests/guide/$name.expect"
done

# `file.c:function` on a page names a function of that file.
for page in README.md docs/*.md; do
    while IFS=: read -r file function; do
        grep -qsE "(^|[^[:alnum:]_])$function\(" "$file" ||
            tell not-ok "$page names $function of $file, which is not there"
    done < <(grep -oE '`[a-z_0-9/]+\.[chS]:[a-z_0-9]+`' "$page" | tr -d '`' | sort -u)
done

exit "$failed"

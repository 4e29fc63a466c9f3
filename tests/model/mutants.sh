#!/usr/bin/env bash
# mutants.sh - breaks the sources in every way that it knows, and sees whether the checker notices.
#
#   tests/model/mutants.sh               all; the last line says how many of how many were killed
#   tests/model/mutants.sh deque         those of these subjects
#
# build.sh has made the programs. Status 1 if one survives that does not stand in `equivalents`, or if one
# that stands there dies.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
. tests/model/subjects.sh

[ $# -gt 0 ] || set -- "${subjects[@]}"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A mutant that is not found within so many executions of a scenario has survived.
limit=${MODEL_LIMIT:-150000}
glance=10000

# One job per line: subject, tab, words that name the mutant, tab, kind, tab, arguments.
list_orders() {
    local name reached words order
    for name in "$@"; do
        "build/model/$name" --sites --bound 2 --limit 20000 >"$work/sites" || continue
        while IFS=$'\t' read -r reached words order; do
            [ "$reached" = reached ] && [ "$order" != relaxed ] &&
                [[ $words =~ ^(${judged[$name]}) ]] &&
                printf '%s\trelaxed %s\torder\t%s\n' "$name" "$words" "$words=relaxed"
        done <"$work/sites"
    done
}

list_changes() {
    awk -v wanted=" $* " -v OFS='\t' '
        /^#/ || /^$/ { next }
        /^[a-z]/ { head = $0; subject = $1; sub(/:.*/, "", subject); sub(/^[^:]*: /, "", head); next }
        index(wanted, " " subject " ") == 0 { next }
        $1 == "order" { sub(/^ *order */, ""); print subject, head, "order", $0; next }
        !file { file = $1; next }
        { sub(/^ */, ""); print subject, head, "change", file "\t" $0; file = "" }' tests/model/mutants
}

# Few preemptions and few executions first: most die at once.
kill_it() {
    local hunt status hunts="0:$glance 1:$glance 2:$glance 3:$glance 1:$limit 2:$limit 3:$limit"
    # Those that are known to survive are not hunted for long.
    grep -qxF "$name: $words" tests/model/equivalents && hunts="1:$glance"
    for hunt in $hunts; do
        (timeout 300 "$@" --quiet --bound "${hunt%:*}" --limit "${hunt#*:}"; exit $?) >/dev/null 2>&1
        status=$?
        [ $status = 0 ] || return $status
    done
}

# judge SUBJECT WORDS KIND ARGUMENT...: prints "killed", "survives" or what went wrong, and the words.
judge() {
    local name=$1 words=$2 kind=$3 folder verdict
    case $kind in
    order)
        kill_it "build/model/$name" --weaken "$4"
        verdict=$?
        ;;
    change)
        folder=$(mktemp -d "$work/XXXXXX")
        mkdir -p "$folder/${4%/*}"
        sed -zE "$5" "$4" >"$folder/$4"
        if cmp -s "$4" "$folder/$4"; then
            echo "nothing changed by: $name: $words"
            return
        fi
        if ! tests/model/build.sh --changed "$folder" "$4" "$name" "$folder/it" >"$folder/log" 2>&1; then
            echo "does not compile: $name: $words: $(grep -m1 error "$folder/log")"
            return
        fi
        kill_it "$folder/it"
        verdict=$?
        rm -rf "$folder"
        ;;
    esac
    case $verdict in
    0) echo "survives: $name: $words" ;;
    1 | 139 | 134) echo "killed: $name: $words" ;;
    *) echo "status $verdict: $name: $words" ;;
    esac
}

{
    list_orders "$@"
    list_changes "$@"
} >"$work/jobs"

# Two at a time.
running=0
: >"$work/verdicts.all"
while IFS=$'\t' read -r name words kind first second; do
    [ $running -lt 2 ] || wait -n
    judge "$name" "$words" "$kind" "$first" "${second:-}" >>"$work/verdicts.all" &
    running=$((running < 2 ? running + 1 : 2))
done <"$work/jobs"
wait
sort "$work/verdicts.all" >"$work/verdicts"
sed -n 's/^\([a-z][a-z0-9_]*: [^ ].*\)$/\1/p' tests/model/equivalents | sort >"$work/equivalents"
sed -n 's/^survives: //p' "$work/verdicts" | sort >"$work/survivors"
sed -n 's/^killed: //p' "$work/verdicts" | sort >"$work/killed"

bad=0
grep -vE '^(survives|killed): ' "$work/verdicts" && bad=1
comm -23 "$work/survivors" "$work/equivalents" | sed 's/^/survives, and nobody says why: /' | grep . && bad=1
comm -12 "$work/killed" "$work/equivalents" | sed 's/^/killed, though it stands in equivalents: /' | grep . && bad=1
echo "measured: $(wc -l <"$work/killed") of $(wc -l <"$work/jobs") mutants killed, $(comm -12 "$work/survivors" "$work/equivalents" | wc -l) equivalent"
exit $bad

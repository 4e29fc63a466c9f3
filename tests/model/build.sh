#!/usr/bin/env bash
# build.sh - makes build/model/<subject>, the programs of the model checker.
#
#   tests/model/build.sh                          all
#   tests/model/build.sh deque                    these
#   tests/model/build.sh --changed FOLDER FILE deque OUT     the program OUT, with FOLDER/FILE for FILE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
. tests/model/subjects.sh

cc=(gcc -std=gnu11 -O2 -g -Wall -Wextra -Wno-missing-field-initializers -Werror -no-pie
    -ffunction-sections -fdata-sections -Wl,--gc-sections -D_GNU_SOURCE
    '-DWEFT_TUNING_HEADER="tests/model/tuning.h"')
# Where one wakes a batch of others the model has batches of one.
small() { sed 's/#define WAITLIST_BATCH 32/#define WAITLIST_BATCH 1/' "$1"; }

here=(-Ibuild/model/replace -Itests/model/replace -I. -Icore -Isync -Iio -Ipool)
# The compiler announces each plain access but those of memcpy; plain.c listens, not the library of the
# sanitizer.
watched=(-fsanitize=thread --param tsan-instrument-func-entry-exit=0 -U__SANITIZE_THREAD__
    -Dpthread_self=model_pthread_self -Dmemcpy=model_memcpy)
engine=(tests/model/{coroutine,main,memory,path,plain,schedule,script,story,sys,total,trace,undo}.c)

# object SOURCE OUT FLAG...: made anew if a file it was made of is newer.
object() {
    local source=$1 out=$2 file fresh=1
    shift 2
    if [ -e "$out" ] && [ -e "$out.d" ]; then
        for file in $(sed 's/^[^:]*://; s/\\$//' "$out.d") tests/model/build.sh; do
            [ "$file" -ot "$out" ] || fresh=0
        done
        [ $fresh = 1 ] && return
    fi
    "${cc[@]}" "${here[@]}" "$@" -MMD -MF "$out.d" -c "$source" -o "$out"
}

# Where an object of a source lies.
at() { printf 'build/model/objects/%s.o\n' "${@//\//_}"; }

link() {
    local name=$1 objects=()
    mapfile -t objects < <(at ${sources[$name]} "tests/model/$name.c" "${engine[@]}")
    "${cc[@]}" -o "build/model/$name" "${objects[@]}"
}

# two_at_a_time COMMAND ARG...: the command with each of the arguments.
two_at_a_time() {
    local command=$1 arg before=
    shift
    for arg in "$@"; do
        "$command" "$arg" &
        if [ "$before" ]; then
            wait "$before" || exit
        fi
        before=$!
    done
    wait "$before" || exit
}
engine_object() { object "$1" "$(at "$1")"; }
watched_object() { object "$1" "$(at "$1")" "${watched[@]}"; }

# Only what the changed file is part of is compiled again, as fast as may be.
changed() {
    local folder=$1 file=$2 name=$3 out=$4 source objects=()
    small "$folder/$file" >"$folder/small" && mv "$folder/small" "$folder/$file"
    for source in ${sources[$name]} "tests/model/$name.c"; do
        if [ "$source" = "$file" ] || grep -qE "(^| |/)$file( |\$)" "$(at "$source").d"; then
            objects+=("$folder/${source//\//_}.o")
            [ "$source" = "$file" ] && source=$folder/$file
            "${cc[@]}" "${watched[@]}" -O1 -g0 -w "-I$folder" "${here[@]}" "-ffile-prefix-map=$folder/=" -c "$source" \
                -o "${objects[-1]}"
        else
            objects+=("$(at "$source")")
        fi
    done
    mapfile -t -O ${#objects[@]} objects < <(at "${engine[@]}")
    "${cc[@]}" -o "$out" "${objects[@]}"
}

if [ "${1:-}" = --changed ]; then
    changed "${@:2}"
    exit
fi
mkdir -p build/model/objects build/model/replace/sync
small sync/waitlist.h | cmp -s - build/model/replace/sync/waitlist.h ||
    small sync/waitlist.h >build/model/replace/sync/waitlist.h
[ $# -gt 0 ] || set -- "${subjects[@]}"
parts=()
for name in "$@"; do
    parts+=(${sources[$name]} "tests/model/$name.c")
done
mapfile -t parts < <(printf '%s\n' "${parts[@]}" | sort -u)
two_at_a_time engine_object "${engine[@]}"
two_at_a_time watched_object "${parts[@]}"
two_at_a_time link "$@"

#!/usr/bin/env bash
#
# readme_try - does what the README tells somebody who wants weft in a project of their own, to the
# letter, in a home folder made for it: each block below a line <!-- own: WAY/FILE --> is a file of
# a new project, or the commands to type there. Each way must end with the output of first.c.
#
#   tests/guide/readme_try.sh [WAY...]      installed by_hand part fetched; all if none is named
set -u
cd "$(dirname "$0")/../.." || exit 2

home=$(mktemp -d) || exit 2
trap 'rm -rf "$home"' EXIT
export GIT_CONFIG_GLOBAL=${GIT_CONFIG_GLOBAL:-$HOME/.gitconfig} # perhaps it makes this tree a safe one
export HOME=$home WEFT_FROM=$home/clone

awk -v home="$home" '
    /^<!-- own: [^ ]+ -->$/ { file = home "/" $3; folder = file; sub("/[^/]*$", "", folder); next }
    /^```/ && inside { inside = 0; close(file); file = ""; next }
    /^```/ && file != "" { inside = 1; system("mkdir -p \"" folder "\""); printf "" > file; next }
    inside { print > file }
' README.md

try() { # try WAY: the last line that its commands print is that of the program
    local way=$1 last
    cp examples/guide/first.c "$home/$way/main.c" || return
    if [ "$way" = part ]; then
        mkdir "$home/part/weft" &&
            git ls-files -z -co --exclude-standard | tar -c --null -T - | tar -x -C "$home/part/weft" ||
            return
    elif [ "$way" = fetched ]; then
        { git clone . "$home/clone" && git -C "$home/clone" checkout -B main; } >/dev/null 2>&1 || return
    fi
    (cd "$home/$way" && bash -e ./commands) >"$home/$way.log" 2>&1
    last=$(tail -n 1 "$home/$way.log")
    if [[ $last =~ $(cat tests/guide/first.expect) ]]; then
        echo "ok $way: $last"
    else
        echo "not-ok $way:"
        sed 's/^/    | /' "$home/$way.log"
        return 1
    fi
}

[ $# -gt 0 ] || set -- installed by_hand part fetched
case " $* " in
*" installed "* | *" by_hand "*)
    bash -e "$home/install" >"$home/install.log" 2>&1 || {
        sed 's/^/    | /' "$home/install.log"
        exit 1
    }
    ;;
esac

failed=0
for way in "$@"; do
    try "$way" || failed=1
done
exit "$failed"

# shellcheck shell=bash
# need.sh - sourced by examples/run and tests/run: installs what a build lacks, and says so.
#
#   need gcc gcc            a command, and the Debian package that has it
#   need_header sqlite3.h libsqlite3-dev
#   need_install            installs what the lines above found missing; nothing missing: does nothing

missing_packages=()

need() {
    command -v "$1" >/dev/null 2>&1 || missing_packages+=("$2")
}

need_header() {
    has_header "$1" || missing_packages+=("$2")
}

has_header() {
    local folder
    for folder in /usr/include /usr/local/include /usr/include/*-linux-gnu; do
        [ -e "$folder/$1" ] && return
    done
    return 1
}

need_file() {
    compgen -G "$1" >/dev/null || missing_packages+=("$2")
}

# Says a sentence; false, so that `set -e` ends the script.
complain() {
    echo "$1" >&2
    return 1
}

need_install() {
    local as_root=() log
    [ ${#missing_packages[@]} -eq 0 ] && return
    if ! command -v apt-get >/dev/null 2>&1; then
        complain "weft needs ${missing_packages[*]} (Debian's names), and this system has no apt-get: install them its own way, then run this again."
        return
    fi
    if [ "$(id -u)" -ne 0 ]; then
        if ! command -v sudo >/dev/null 2>&1; then
            complain "weft needs ${missing_packages[*]}: as root, run: apt-get install ${missing_packages[*]}"
            return
        fi
        as_root=(sudo)
        [ -t 2 ] || as_root=(sudo -n)
    fi
    echo "weft: installing with apt-get: ${missing_packages[*]}" >&2
    log=$(mktemp)
    if ! { "${as_root[@]}" apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 update &&
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=120 -o Acquire::Retries=3 \
            install -y --no-install-recommends "${missing_packages[@]}"; } </dev/null >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        complain "weft: apt-get could not install them; its words are above. Mend that, then run this again."
        return
    fi
    rm -f "$log"
    missing_packages=()
    hash -r
}

# build PRESET TARGET...: configures if need be, and builds; shows the compiler's words only if that
# fails. Two at a time wait for each other.
build() {
    local preset=$1 rc=0
    shift
    mkdir -p build || return
    exec 9>build/.lock
    flock 9
    {
        if ! is_configured "$preset"; then
            rm -rf "build/$preset"
            echo "weft: building build/$preset" >&2
            cmake --preset "$preset" >"build/$preset.log" 2>&1 || rc=1
        elif is_missing "$preset" SQLite3_INCLUDE_DIR sqlite3.h ||
            is_missing "$preset" WEFT_CMOCKA_INCLUDE cmocka.h; then
            cmake --preset "$preset" >"build/$preset.log" 2>&1 || rc=1
        fi
        [ "$rc" -ne 0 ] ||
            cmake --build "build/$preset" --target "$@" >"build/$preset.log" 2>&1 || rc=1
    } 9>&-
    exec 9>&-
    [ "$rc" -eq 0 ] && return
    cat "build/$preset.log" >&2
    complain "weft: build/$preset failed; the compiler's words are above and in build/$preset.log."
}

# True if build/PRESET was configured for the tree where it lies now.
is_configured() {
    [ -e "build/$1/build.ninja" ] &&
        grep -qxF "CMAKE_HOME_DIRECTORY:INTERNAL=$PWD" "build/$1/CMakeCache.txt"
}

# True if build/PRESET was configured before header $3, kept in variable $2, was installed.
is_missing() {
    grep -q "^$2:.*NOTFOUND$" "build/$1/CMakeCache.txt" && has_header "$3"
}

# shellcheck shell=bash
# parts.sh - the parts of tests/run. Each has about_NAME, a line for --list, and part_NAME, which
# installs what it needs, builds, and reports with check and program.

need_build() {
    need gcc gcc
    need cmake cmake
    need ninja ninja-build
    need_header stdio.h libc6-dev
    need_header liburing.h liburing-dev
    need_header ck_stack.h libck-dev
    need_header cmocka.h libcmocka-dev
    need_header sqlite3.h libsqlite3-dev
}

need_clang() {
    need_build
    need clang-19 clang-19
    need_file "/usr/lib/llvm-19/lib/clang/19/lib/*/libclang_rt.tsan*.a" libclang-rt-19-dev
}

# Its reports name lines only with this.
symbolizer=/usr/lib/llvm-19/bin/llvm-symbolizer

# Installs what is missing and builds: make_ready [PRESET TARGET...]. A failure of it is one test's.
make_ready() {
    local start
    start=$(now_ms)
    if need_install && { [ $# -eq 0 ] || build "$@"; }; then
        [ $# -eq 0 ] || printf '  built %s in %d s\n' "$1" $((($(now_ms) - start) / 1000))
    else
        row "getting ready" 0 1 $(($(now_ms) - start))
        return 1
    fi
}

# Address randomisation that a sanitizer cannot place its shadow in is switched off where allowed.
steady=()
setarch -R true 2>/dev/null && steady=(setarch -R)

# Every unit test program of a preset, once for each loop, with an environment. $1 preset, $2
# seconds, then NAME=VALUE...
both_loops() {
    local preset=$1 seconds=$2 loop path
    shift 2
    make_ready "$preset" all || return
    for loop in uring epoll; do
        for path in $(unit_programs "$preset"); do
            program "${path##*/}, $loop" "$seconds" env "$@" WEFT_LOOP=$loop "${steady[@]}" "$path"
        done
    done
}

about_unit() { echo "every test program, optimised, both event loops"; }
part_unit() {
    need_build
    both_loops release 300
    check "every *_test.c is in tests/CMakeLists.txt" all_listed
}

all_listed() {
    local source bad=0
    for source in $(find tests -name '*_test.c'); do
        grep -qE "^ +${source:6:-2}\)?\$" tests/CMakeLists.txt || { echo "$source is not" && bad=1; }
    done
    return "$bad"
}

about_small() { echo "the same with tiny queues and caches"; }
part_small() {
    need_build
    both_loops small 300
}

about_ucontext() { echo "the same with the context switch for other processors"; }
part_ucontext() {
    need_build
    both_loops ucontext 300
}

about_denied() { echo "the same where io_uring is refused, with EPERM and with ENOSYS"; }
part_denied() {
    local error path
    need_build
    make_ready release all || return
    for error in EPERM ENOSYS; do
        check "weft_info says why, $error" denied_why "$error"
        for path in $(unit_programs release); do
            program "${path##*/}, $error" 300 build/release/tests/deny_uring $error "$path"
        done
    done
}

denied_why() {
    local words
    case $1 in
    EPERM) words="Operation not permitted" ;;
    ENOSYS) words="Function not implemented" ;;
    esac
    build/release/tests/deny_uring "$1" build/release/tests/info >"$work/info" || return
    cat "$work/info"
    grep -qx "loop: epoll" "$work/info" && grep "^loop why: .*$words" "$work/info"
}

about_migrate() { echo "the same, and no task ever goes on where it waited (WEFT_DEBUG=migrate)"; }
part_migrate() {
    need_build
    both_loops release 300 WEFT_DEBUG=migrate
}

about_clang() { echo "the same, made by clang-19 without a warning"; }
part_clang() {
    need_clang
    both_loops clang 300
}

about_asan() { echo "the same under the address and undefined behaviour sanitizers, with migration"; }
part_asan() {
    need_build
    both_loops asan 600 WEFT_DEBUG=migrate CHECK_WATCHDOG=120 \
        ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1 \
        UBSAN_OPTIONS=print_stacktrace=1
    short_stress asan UBSAN_OPTIONS=print_stacktrace=1
}

tsan_options=history_size=4:external_symbolizer_path=$symbolizer
need_tsan() {
    need_clang
    need_file "$symbolizer" llvm-19
}

about_tsan() { echo "the same under the thread sanitizer, with migration"; }
part_tsan() {
    need_tsan
    both_loops tsan 600 WEFT_DEBUG=migrate CHECK_WATCHDOG=180 TSAN_OPTIONS="$tsan_options"
    short_stress tsan TSAN_OPTIONS="$tsan_options"
}

about_stress_tsan() { echo "stress under the thread sanitizer, with fewer rounds (the end of tsan, alone)"; }
part_stress_tsan() {
    need_tsan
    make_ready tsan all || return
    short_stress tsan TSAN_OPTIONS="$tsan_options"
}

# The stress programs of a sanitizer build, with a fraction of their rounds, and the sweeps.
short_stress() {
    local preset=$1 path loop
    shift
    for loop in uring epoll; do
        for path in $(sweep_programs "$preset"); do
            program "${path##*/}, $loop" 600 env "$@" WEFT_LOOP=$loop CHECK_WATCHDOG=180 \
                "${steady[@]}" "$path"
        done
        for path in $(stress_programs "$preset"); do
            program "${path##*/}, short, $loop" 600 env "$@" WEFT_LOOP=$loop CHECK_STRESS=short \
                CHECK_WATCHDOG=180 "${steady[@]}" "$path"
        done
    done
}

about_stress() { echo "ledgers: nothing lost, nothing twice, whatever races"; }
part_stress() {
    local path loop
    need_build
    make_ready release all || return
    for path in $(stress_programs release); do
        for loop in uring epoll; do
            program "${path##*/}, $loop" 300 env WEFT_LOOP=$loop "$path"
        done
    done
    for path in $(stress_programs release); do
        for loop in uring epoll; do
            program "${path##*/}, threads stand still, $loop" 300 \
                env CHECK_PREEMPT=1 CHECK_STRESS=short WEFT_LOOP=$loop "$path"
        done
    done
    stress_far_clocks
}

# Where 31 or 32 bits of seconds or milliseconds run over: the clock passes that moment while the
# programs run. Needs a kernel that lets us have a time namespace.
stress_far_clocks() {
    local moment loop
    if ! unshare -UrT --monotonic=1000 true 2>/dev/null; then
        echo "  no time namespace to be had: clocks of long uptimes are left out"
        return
    fi
    for moment in 2147483648 4294967296 4294967; do
        for loop in uring epoll; do
            check "uptime passes $moment s, $loop" far_clock "$moment" "$loop"
        done
    done
}

# far_clock SECONDS LOOP: programs that wait in every way, side by side, again and again from two seconds
# before that uptime to two seconds after it.
far_clock() {
    local uptime programs
    programs=$(printf 'build/release/tests/%s ' ledger_stress_test sleep_test interval_test \
        scope_deadline_test select_wait_test)
    uptime=$(awk '{ print int($1) }' /proc/uptime)
    # shellcheck disable=SC2016,SC2086
    env CHECK_STRESS=short WEFT_LOOP="$2" unshare -UrT --monotonic=$(($1 - 2 - uptime)) bash -c '
        SECONDS=0
        for program; do
            until [ $SECONDS -ge 4 ]; do
                said=$(timeout -k 10 120 "$program" 2>&1) || { echo "$program: status $?"; echo "$said"; exit 1; }
            done &
            running+=($!)
        done
        for program in "${running[@]}"; do wait "$program" || exit; done' programs $programs
}

about_sweep() { echo "a cancel at every point of every scenario, exact ledgers"; }
part_sweep() {
    local path loop points=0
    need_build
    make_ready release all || return
    for path in $(sweep_programs release); do
        for loop in uring epoll; do
            program "${path##*/}, $loop" 300 env WEFT_LOOP=$loop "$path"
            points=$((points + $(sed -n 's/^measured: \([0-9]*\) suspension .*/\1/p' "$work/out")))
        done
    done
    echo "  visited $points suspension points of the scenarios, on two loops"
    for path in $(sed "s|^|build/release/tests/|" build/release/tests/everywhere); do
        check "${path##*/everywhere_}, cancelled everywhere" example_everywhere "$path"
    done
}

# An example whose weft_run cancels it at every point; contrast has too many to visit them all.
example_everywhere() {
    case ${1##*/} in
    everywhere_contrast)
        CONTRAST_SLOW_SERVICE=build/release/examples/slow_service EVERYWHERE_POINTS=60 \
            timeout -k 10 300 "$1" --scale 0.01 --html "$work/contrast.html" >"$work/words"
        ;;
    everywhere_slow_service) timeout -k 10 120 "$1" --scale 0.002 >"$work/words" ;;
    *) GUIDE_SCALE=0.002 timeout -k 10 300 "$1" >"$work/words" ;;
    esac
}

about_guide() { echo "the guide's programs, their output line by line"; }
part_guide() {
    local source name
    need_build
    make_ready release all || return
    for source in examples/guide/*.c; do
        name=$(basename "$source" .c)
        check "$name" guide_output "build/release/examples/guide_$name" "tests/guide/$name.expect"
    done
}

# Runs a program and holds each line of its output against the pattern on the same line of a file. What
# a program says may follow from which of two waits ends first: one that only waits gets the virtual clock,
# the others all the time that the guide gives them.
guide_output() {
    local line number=0 status patterns=() how=(GUIDE_SCALE=0.1)
    case $1 in
    *_together) how=(WEFT_DEBUG=clock) ;;
    *_cancellation | *_errors | *_pitfalls | *_summary) how=(GUIDE_SCALE=1) ;;
    esac
    timeout -k 10 120 env "${how[@]}" "$1" >"$work/lines"
    status=$?
    [ "$status" -eq 0 ] || echo "it ended with status $status"
    mapfile -t patterns <"$2"
    while IFS= read -r line; do
        if ! [[ $line =~ ${patterns[number]-^there is no line here$} ]]; then
            echo "line $((number + 1)) is:      $line"
            echo "and should match: ${patterns[number]-nothing, it is one too many}"
            status=1
        fi
        number=$((number + 1))
    done <"$work/lines"
    if [ "$number" -lt ${#patterns[@]} ]; then
        echo "$number lines instead of ${#patterns[@]}"
        status=1
    fi
    return "$status"
}

about_contrast() { echo "examples/run with waits of a tenth, both loops, the figures checked"; }
part_contrast() {
    local loop
    need_build
    python3 -c 'import json' 2>/dev/null || missing_packages+=(python3)
    make_ready || return
    for loop in uring epoll; do
        check "contrast, $loop" contrast_figures "$loop"
    done
    check "contrast names a wrong option" contrast_refuses
}

contrast_figures() {
    timeout -k 10 300 examples/run --scale 0.1 --loop "$1" --json "$work/contrast.json" \
        --html "$work/contrast.html" || return
    python3 tests/contrast_check.py "$1" 0.1 "$work/contrast.json" "$work/contrast.html"
}

contrast_refuses() {
    if examples/run --loop kqueue 2>"$work/words"; then
        echo "it took --loop kqueue"
        return 1
    fi
    cat "$work/words"
    grep -qF kqueue "$work/words"
}

about_headers() { echo "each public header alone and twice, as C11 and as C++17"; }
part_headers() {
    local header
    need gcc gcc
    need g++ g++
    need_header stdio.h libc6-dev
    make_ready || return
    mkdir -p "$work/include/weft"
    cp weft.h "$work/include"
    cp ./*/weft/*.h "$work/include/weft"
    for header in weft.h ./*/weft/*.h; do
        header=${header/#.\/*\/weft/weft}
        check "$header" header_alone "$header"
    done
}

header_alone() {
    printf '#include <%s>\n#include <%s>\n' "$1" "$1" >"$work/alone.c"
    printf '#include <%s>\n#include <%s>\n' "$1" "$1" >"$work/alone.cc"
    gcc -std=c11 -pedantic -Wall -Wextra -Wconversion -Wshadow -Werror -fsyntax-only \
        -I"$work/include" "$work/alone.c" &&
        g++ -std=c++17 -pedantic -Wall -Wextra -Wconversion -Wshadow -Werror -fsyntax-only \
            -I"$work/include" "$work/alone.cc"
}

about_docs() { echo "public functions are documented; the pages show what the tree holds"; }
part_docs() {
    need awk mawk
    make_ready || return
    check "every public function is documented" awk -f tests/docs.awk weft.h ./*/weft/*.h
    check "programs and outputs on the pages are real" tests/guide/doc_check.sh
    check "docs/reference.md is what the headers give" docs/reference.sh --check
    check "each call is tried where its docstring says" places_tried
}

places_tried() {
    local name bad=0
    for name in $(awk -f tests/places.awk ./*/weft/*.h); do
        grep -qw "$name" tests/core/context_test.c || { echo "context_test lacks $name" && bad=1; }
    done
    return "$bad"
}

about_orders() { echo "every ordered atomic access names its partner or its reason"; }
part_orders() {
    need awk mawk
    make_ready || return
    check "every ordered access says why" awk -f tests/orders.awk ./{core,sync,pool,io}/*.[ch]
}

about_model() { echo "the model checker: every order of the core's protocols, and mutants to prove it"; }
part_model() {
    local subject
    need gcc gcc
    need_header stdio.h libc6-dev
    make_ready || return
    . tests/model/subjects.sh
    check "building the subjects" tests/model/build.sh
    # Two at a time, the longest first; reported in order, as they end.
    printf '%s\n' park io cond sem mutex wait "${subjects[@]}" | awk '!seen[$0]++' | xargs -P2 -I{} sh -c \
        'build/model/{} >"$0/{}.said" 2>&1; echo $? >"$0/{}.ended"' "$work" &
    for subject in "${subjects[@]}"; do
        check "$subject" model_ended "$subject"
    done
    wait $!
    check "mutants" tests/model/mutants.sh
}

model_ended() {
    until [ -s "$work/$1.ended" ]; do sleep 0.1; done
    cat "$work/$1.said"
    return "$(cat "$work/$1.ended")"
}

about_symbols() { echo "what the libraries show and how they are linked"; }
part_symbols() {
    need_build
    make_ready release weft weft_static || return
    check "libweft.so shows weft_ names only" only_names build/release/libweft.so -D
    check "libweft.a defines weft_ names only" only_names build/release/libweft.a -g
    check "no executable stack" no_executable_stack build/release/libweft.so
    check "relocations are read-only after start" readelf_has BIND_NOW -d
    check "segment for read-only relocations" readelf_has GNU_RELRO -lW
    check "the shared library is called libweft.so.0" readelf_has 'soname: \[libweft.so.0\]' -d
    check "thread-local variables have one address" no_tls_call
    check "none is kept over a wait, nor errno" no_tls_kept
}

only_names() {
    nm "$2" --defined-only "$1" | awk 'NF == 3 && $3 !~ /^weft_/ { print; bad = 1 } END { exit bad }'
}

no_executable_stack() {
    readelf -lW "$1" | awk '/GNU_STACK/ { print; seen = 1; if (/E/ && $7 ~ /E/) bad = 1 } END { exit bad || !seen }'
}

readelf_has() { readelf "$2" build/release/libweft.so | grep -E "$1"; }

# A task may go on on another thread: no code of weft may ask once for the address of what is
# thread-local and keep it.
no_tls_call() { ! nm build/release/libweft.a 2>/dev/null | grep -F __tls_get_addr; }

no_tls_kept() { objdump -dr --no-show-raw-insn build/release/libweft.a | awk -f tests/thread_local.awk; }

about_install() { echo "installed, as a sub-project, by CMake and by pkg-config"; }
part_install() {
    need_build
    need pkg-config pkg-config
    need git git
    make_ready release weft weft_static || return
    check "cmake --install" cmake --install build/release --prefix "$work/prefix"
    check "find_package, both libraries" consumer_cmake found -DCMAKE_PREFIX_PATH="$work/prefix"
    check "add_subdirectory builds the library alone" consumer_subproject
    check "pkg-config" consumer_pkg_config
    check "pkg-config --static" consumer_pkg_config --static
    check "the README's words, followed to the letter" tests/guide/readme_try.sh
}

consumer_cmake() {
    local name=$1
    shift
    cmake -G Ninja -S tests/consumer -B "$work/$name" "$@" && cmake --build "$work/$name" &&
        "$work/$name/consumer" && "$work/$name/consumer_static"
}

consumer_subproject() {
    consumer_cmake inside -DWEFT_SOURCE="$PWD" || return
    if grep -q -e '-Werror ' -e cmocka -e sqlite "$work/inside/build.ninja"; then
        echo "the sub-project builds tests or examples, or makes warnings errors"
        return 1
    fi
}

consumer_pkg_config() {
    local flags
    export PKG_CONFIG_PATH
    PKG_CONFIG_PATH=$(dirname "$(find "$work/prefix" -name weft.pc)")
    flags=$(pkg-config --cflags --libs "$@" weft) || return
    # shellcheck disable=SC2086
    gcc -std=c11 tests/consumer/main.c -o "$work/by_hand" ${1:+-Wl,-Bstatic} $flags ${1:+-Wl,-Bdynamic} || return
    LD_LIBRARY_PATH=$(dirname "$PKG_CONFIG_PATH") "$work/by_hand"
}

about_many() { echo "100,000 tasks sleep at once; a million, as memory allows, at 6 KiB each"; }
part_many() {
    local available count=1000000
    need_build
    make_ready release sleepers info || return
    available=$(available_kib | sort -n | head -n 1)
    [ $((count * 7)) -lt "$available" ] || count=$((available / 7))
    if build/release/tests/info | grep -q "guard: mprotect"; then
        count=20000
    fi
    check "sleeping" build/release/tests/sleepers time $((count < 100000 ? count : 100000))
    check "resident" build/release/tests/sleepers memory "$count"
}

# What may still be used: of the machine, or of the group that this runs in, if that is less.
available_kib() {
    local group=/sys/fs/cgroup most
    awk '/^MemAvailable/ { print $2 }' /proc/meminfo
    if most=$(cat $group/memory.max 2>/dev/null) && [ "$most" != max ]; then
        echo $(((most - $(cat $group/memory.current)) / 1024))
    fi
}

about_idle() { echo "an idle program makes no system call for 10 s"; }
part_idle() {
    local loop
    need_build
    need strace strace
    make_ready release idle || return
    for loop in uring epoll; do
        check "idle, $loop" idle_is_silent "$loop"
    done
}

# The program says when it is idle with a write to descriptor 1; from a second after that on, every
# line of the trace is a system call too many.
idle_is_silent() {
    local tracer
    rm -f "$work/trace"
    timeout 60 strace -f -ttt -o "$work/trace" env WEFT_LOOP="$1" build/release/tests/idle &
    tracer=$!
    until grep -qs 'write(1, "idle' "$work/trace" || ! kill -0 "$tracer"; do sleep 0.1; done
    sleep 11.5
    kill "$tracer"
    wait "$tracer"
    awk '/write\(1, "idle/ { ready = $2 }
         ready && $2 > ready + 1 && $2 < ready + 11 { print; bad = 1 }
         END { if (!ready) print "the program did not get so far"; exit bad || !ready }' "$work/trace"
}

about_semantics() { echo "S01 to S60 of docs/semantics.md, each in every configuration"; }
part_semantics() {
    local preset loop debug workers start line
    need_clang
    need_file "$symbolizer" llvm-19
    for preset in release asan tsan; do
        make_ready "$preset" semantics || return
    done
    start=$(now_ms)
    rm -rf "$work/semantics"
    mkdir "$work/semantics"
    for loop in uring epoll; do
        for workers in 1 2 3 8; do
            for debug in plain migrate clock migrate,clock; do
                semantics_run release $loop $debug $workers
            done
            for preset in asan tsan; do
                semantics_run $preset $loop migrate $workers
                semantics_run $preset $loop clock $workers
            done
        done
    done
    echo "  configurations: {release, asan, tsan} x {uring, epoll} x {1, 2, 3, 8 workers}"
    echo "  x {real clock, virtual clock} x {forced migration or not: both only for release}"
    awk -v most=60 -f tests/semantics/verdicts.awk "$work"/semantics/* >"$work/out"
    sed '$d; s/^/  /' "$work/out"
    line=$(tail -n 1 "$work/out")
    row "statements" "${line%% *}" "$(awk '{ print $3 }' <<<"$line")" $(($(now_ms) - start))
    check "docs/semantics.md names every test" semantics_named
}

semantics_named() {
    local name bad=0
    for name in $(grep -ohE '(STATEMENT|MISUSE|OUTSIDE)\(s[0-9]{2}_[a-z0-9_]+\)' tests/semantics/*.c |
        sed 's/.*(//; s/)//'); do
        grep -qF "\`$name\`" docs/semantics.md || { echo "$name is not there" && bad=1; }
    done
    return "$bad"
}

# semantics_run PRESET LOOP DEBUG WORKERS: all statements in one configuration.
semantics_run() {
    local file="$work/semantics/$1 $2 ${3/,/ } $4 workers" options=()
    [ "$1" != tsan ] ||
        options=(TSAN_OPTIONS=history_size=4:external_symbolizer_path="$symbolizer")
    (timeout -k 10 300 env "${options[@]}" WEFT_LOOP="$2" WEFT_DEBUG="${3/plain/}" \
        CHECK_ONLY_WORKERS="$4" CHECK_WATCHDOG=120 "${steady[@]}" "build/$1/tests/semantics"
        echo "status $?") >"$file" 2>&1 </dev/null
}

# python3 with Trio: Debian's, for the one that comes first in PATH may be another.
oracle_python=/usr/bin/python3

about_oracle() { echo "the statements that asyncio and Trio share: what they do, beside weft"; }
part_oracle() {
    need_build
    need_file "$oracle_python" python3
    need_file "/usr/lib/python3/dist-packages/trio/__init__.py" python3-trio
    make_ready release semantics || return
    oracle_asks
}

# Each scenario is one test.
oracle_asks() {
    local start failures
    start=$(now_ms)
    timeout -k 10 120 "$oracle_python" tests/oracle/run build/release/tests/semantics \
        >"$work/out" 2>&1 </dev/null
    sed 's/^/  /' "$work/out"
    failures=$(grep -c '^S[0-9][0-9] FAIL' "$work/out")
    grep -q '^[0-9]* scenarios with ' "$work/out" || failures=$((failures + 1)) # it did not get so far
    row "scenarios" "$(grep -c '^S[0-9][0-9] ok' "$work/out")" "$failures" $(($(now_ms) - start))
}

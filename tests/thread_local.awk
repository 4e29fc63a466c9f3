# thread_local.awk - no function keeps errno, or a thread-local, while a task may change its thread.
#
#   objdump -dr --no-show-raw-insn libweft.a | awk -f tests/thread_local.awk
#
# A task may go on on another thread after any call that waits, and compilers keep the address of what
# is thread-local over a call. So a function that touches it may call, by itself and through the
# functions of its own file: the C library, and weft__sys_ (no call there waits). Only what a pool's
# thread begins with may do more: what stands on its stack never changes its thread.

BEGIN { bottom["thread_main"]; bottom["introduce"] }

/^[^ ].*\.o: +file format/ { file = $1; sub(/:.*/, "", file) }

/^[0-9a-f]+ <.*>:$/ {
    at = $2
    gsub(/[<>:]/, "", at)
    sub(/\.(part|cold|constprop|isra).*/, "", at)
    at = file " " at
}

/__errno_location|R_X86_64_(GOT)?TPOFF|R_X86_64_TLS|R_AARCH64_TLS/ { touches[at] }

# To another file, in a register, in this file.
/R_X86_64_PLT32|R_AARCH64_(CALL|JUMP)26/ {
    name = $NF
    sub(/[-+]0x.*/, "", name)
    if (name ~ /^weft__?/ && name !~ /^weft__sys_/)
        waits[at] = waits[at] " " name
}

# In sys.c that is the tests' hook: it does not wait.
/[ \t](call|blr)[ \t]+[*x]/ && at !~ /^sys\.c\.o / { waits[at] = waits[at] " (a pointer)" }

/[ \t](call|jmp|bl|b)[ \t]+[0-9a-f]+ <[^+>]*>$/ {
    name = $NF
    gsub(/[<>]/, "", name)
    sub(/\.(part|cold|constprop|isra).*/, "", name)
    if (file " " name != at)
        calls[at] = calls[at] " " name
}

# What a function calls in its file, and all that comes of that.
function reach(from, seen,    names, count, i) {
    seen[from]
    count = split(calls[from], names, " ")
    found = found waits[from]
    split(from, place, " ")
    for (i = 1; i <= count; i++)
        if (!((place[1] " " names[i]) in seen))
            reach(place[1] " " names[i], seen)
}

END {
    for (from in touches) {
        total++
        split(from, place, " ")
        if (place[2] in bottom)
            continue
        delete seen
        found = ""
        reach(from, seen)
        if (found != "") {
            print from " touches what is thread-local, and calls" found
            bad = 1
        }
    }
    print total + 0 " functions touch errno or a thread-local"
    exit bad || total == 0
}

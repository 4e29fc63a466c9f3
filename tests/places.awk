# places.awk - names the public functions that cannot be called from everywhere: those whose comment
# has a line "From:". Each must stand in tests/core/context_test.c, which tries the places.

FNR == 1 { from = 0 }
/^\/\*\*/ { from = 0 }
/^ \* From:/ { from = 1 }
/^WEFT_API/ && !/ weft__/ {
    if (from && match($0, /weft_[a-z_0-9]+\(/))
        print substr($0, RSTART, RLENGTH - 1)
    from = 0
}

# orders.awk - every atomic access with a weaker order than sequentially consistent must say, on its
# line or in a comment directly above, which edge it belongs to, with whom it pairs, or why it needs
# none. Lists those that do not, and exits 1.

FNR == 1 { above = 0; inside = 0 }

FILENAME ~ /core\/(atomic|ck_tsan)\.h$/ { next }

{
    commented = /\/\*/ || inside
    if (/(load|store|add|xchg|cas|or|sub)_(relaxed|acquire|release)\(/) {
        seen++
        if (!commented && !above) {
            print FILENAME ":" FNR ": " $0
            bad++
        }
    }
    if (/\/\*/ && !/\*\//)
        inside = 1
    if (/\*\//) {
        inside = 0
        above = ($0 ~ /^[ \t]*(\/\*|\*)/ || $0 ~ /\*\/[ \t]*$/)
    } else if (!inside) {
        # a comment reaches to the end of the statement below it
        if (/;[ \t]*$/ || /[{}][ \t]*$/ || /^[ \t]*$/)
            above = 0
    }
}

END {
    print seen + 0 " ordered accesses, " bad + 0 " without a word"
    exit bad > 0
}

# verdicts.awk - reads what the program semantics printed, one file for each configuration, and prints
# a line for each statement: S07 pass, in how many configurations, the sentence. Below a FAIL stand the
# configurations in which it failed, and what was said there first. A statement that a dead program did
# not come to, or that no test is named after, has failed. The last line counts.
#
# Variable: most=60, how many statements there are.

FNR == 1 {
    where = FILENAME
    sub(/.*\//, "", where)
    gsub(/,/, " ", where)
    configurations++
    running = words = ""
}

/^\[ RUN      \] s[0-9][0-9]_/ { running = $4; words = ""; seen[running]; next }
/^\[       OK \] s[0-9][0-9]_/ { good[$4]++; running = ""; next }
/^\[  FAILED  \] s[0-9][0-9]_/ {
    if ($4 == running) {
        fail($4, where, words)
        running = ""
    }
    next
}
/^\[  ERROR   \]/ { next }
running && !/^word / { words = words "      " $0 "\n" }

function fail(name, where, words)
{
    bad[name] = bad[name] "      not with " where "\n" (name in bad ? "" : words)
}

END {
    for (name in seen) {
        number = toupper(substr(name, 1, 3))
        test[number] = name
    }
    for (i = 1; i <= most; i++) {
        number = sprintf("S%02d", i)
        name = test[number]
        sentence = substr(name, 5)
        gsub(/_/, " ", sentence)
        if (name != "" && good[name] == configurations) {
            passed++
            printf "%s pass  %3d of %d  %s\n", number, good[name], configurations, sentence
        } else {
            failed++
            printf "%s FAIL  %3d of %d  %s\n", number, good[name], configurations,
                   name == "" ? "(no test is named after it)" : sentence
            printf "%s", bad[name]
            missing = configurations - good[name] - gsub(/not with/, "&", bad[name])
            if (name != "" && missing > 0)
                printf "      no verdict in %d, where the program died before or in it\n", missing
        }
    }
    printf "%d passed, %d failed\n", passed, failed
}

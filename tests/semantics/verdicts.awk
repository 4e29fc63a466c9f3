# verdicts.awk - reads what the program semantics printed, one file for each configuration, and prints
# a line for each statement: S07 pass, in how many configurations, the sentence. Below a FAIL stand the
# configurations in which it failed, and what was said there first. A statement in which a program
# died or a sanitizer complained, to which a dead program did not come, or that has no test, has
# failed. The last line counts. Each file ends with a line "status N".
#
# Variable: most=60, how many statements there are.

FNR == 1 {
    where = FILENAME
    sub(/.*\//, "", where)
    running = words = ""
    is_known = complained = 0
}

/^\[ RUN      \] s[0-9][0-9]_/ {
    running = $4
    test[toupper(substr($4, 1, 3))] = $4
    words = ""
    complained = 0
    next
}
/^\[       OK \] s[0-9][0-9]_/ {
    if (complained)
        fail($4)
    else
        good[$4]++
    running = ""
    next
}
/^\[  FAILED  \] s[0-9][0-9]_/ {
    if ($4 == running)
        fail($4)
    running = ""
    next
}
/^status / {
    if (running)
        fail(running) # it died there
    else if ($2 != 0 && !is_known)
        alone = alone "      status " $2 " with " where ", no statement's:\n" words
    next
}
/Sanitizer|: runtime error:/ { complained = 1 }
!/^word / && !/^\[  ERROR   \]/ && words_left(words) { words = words "      " $0 "\n" }

function words_left(words) { return length(words) < 6000 }

function fail(name)
{
    if (!(name in bad))
        bad[name] = "      with " where ":\n" words
    else
        bad[name] = bad[name] "      with " where "\n"
    times[name]++
    is_known = 1
}

function tell(number, name, sentence)
{
    sentence = substr(name, 5)
    gsub(/_/, " ", sentence)
    if (name != "" && good[name] == configurations) {
        passed++
        printf "%s pass  %3d of %d  %s\n", number, good[name], configurations, sentence
        return
    }
    failed++
    printf "%s FAIL  %3d of %d  %s\n%s", number, good[name], configurations,
           name == "" ? "(no test is named after it)" : sentence, bad[name]
    if (name != "" && good[name] + times[name] < configurations)
        printf "      no verdict in %d, where the program had died before\n",
               configurations - good[name] - times[name]
}

END {
    configurations = ARGC - 1
    for (i = 1; i <= most; i++)
        tell(sprintf("S%02d", i), test[sprintf("S%02d", i)])
    if (alone != "") {
        failed++
        printf "%s", alone
    }
    printf "%d passed, %d failed\n", passed, failed
}

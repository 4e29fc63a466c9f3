# docs.awk - reads public headers: directly above every WEFT_API function stands a comment with Since:
# and, unless it returns nothing or is a question answered in one sentence ("Tells whether"), with
# Returns: before that. Names the functions without, and exits 1. weft__x is private.

FNR == 1 { comment = ""; inside = 0 }

/^\/\*\*/ { comment = ""; inside = 1 }

inside {
    comment = comment "\n" $0
    if (/\*\//)
        inside = 0
    next
}

/^WEFT_API/ && !/ weft__/ {
    functions++
    returns = match(comment, /Returns[:,]/)
    since = match(comment, /Since: *[0-9]+\.[0-9]+/)
    silent = /^WEFT_API void [^*]/ || comment ~ /Tells whether/
    if (!since || (!returns && !silent) || returns > since) {
        print FILENAME ":" FNR ": " $0
        bad++
    }
    comment = ""
}

END {
    print functions + 0 " functions, " bad + 0 " without Since: or Returns:"
    exit bad > 0 || functions < 50
}

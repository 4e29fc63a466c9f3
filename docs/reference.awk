# reference.awk - makes docs/reference.md from weft.h and the public headers, in the order given.
#
# A page per header: its head comment, then every /** comment with what stands below it. Then the
# table of contexts, made from the lines "From:" and "Waits:", and the index of errors, made from
# "Returns:".
#
# What a "From:" says, for the table:
#   no such line                          from everywhere but a signal handler
#   a task, tasks, jobs, plain threads    from those that are named; signal handlers if they are
#   anywhere, everywhere                  tasks, jobs and plain threads
#   (-EPERM elsewhere)                    what the others get; also (false elsewhere) and
#                                         (-EPERM outside a task)
#   (-EPERM in a task or job)             what those get
#   as weft_x                             what stands there

BEGIN {
    label["Returns"]; label["From"]; label["Owns"]; label["Waits"]; label["Since"]
}

function trim(text) { sub(/^[ \t]+/, "", text); sub(/[ \t]+$/, "", text); return text }

# For Markdown: names of headers in angle brackets are no HTML.
function prose(text) { gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); return text }

# Prints comment lines: paragraphs, and as code what is indented by four or more.
function print_text(lines, first, last,    i, line, in_code) {
    for (i = first; i <= last; i++) {
        line = lines[i]
        if (line ~ /^    / && !in_code) { print "```c"; in_code = 1 }
        if (line !~ /^    / && line != "" && in_code) { print "```"; print ""; in_code = 0 }
        if (in_code && line == "" && lines[i + 1] !~ /^    /) { print "```"; in_code = 0 }
        print in_code ? substr(line, 5) : prose(line)
    }
    if (in_code)
        print "```"
}

# --- the parts of a docstring -------------------------------------------------------------------

# Splits doc[1..ndoc] into text[1..ntext] and said["Returns"] ...; a label reaches to the next one.
function split_doc(    i, line, name, current) {
    ntext = 0; current = ""
    for (name in label)
        said[name] = ""
    for (i = 1; i <= ndoc; i++) {
        line = doc[i]
        if (match(line, /Since: *[0-9]+\.[0-9]+/)) { # may stand at the end of a sentence
            said["Since"] = trim(substr(line, RSTART + 6, RLENGTH - 6))
            line = trim(substr(line, 1, RSTART - 1))
            if (line == "")
                continue
        }
        if (match(line, /^[A-Z][a-z]+:/) && substr(line, 1, RLENGTH - 1) in label) {
            current = substr(line, 1, RLENGTH - 1)
            said[current] = trim(substr(line, RLENGTH + 1))
        } else if (current != "" && line ~ /^ /) {
            said[current] = said[current] " " trim(line)
        } else {
            current = ""
            text[++ntext] = line
        }
    }
    while (ntext > 0 && text[ntext] == "")
        ntext--
}

function print_label(name, word) {
    if (said[name] != "")
        print "- **" word "** " prose(said[name])
}

# Prints what stands in doc, for the thing called `title` that looks like `code`.
function print_entry(title, code) {
    split_doc()
    print ""
    print "### " title
    print ""
    print "```c"
    print code
    print "```"
    print ""
    print_text(text, 1, ntext)
    if (said["Returns"] said["From"] said["Owns"] said["Waits"] said["Since"] != "")
        print ""
    print_label("Returns", "Returns")
    print_label("From", "From")
    print_label("Owns", "Owns")
    print_label("Waits", "Waits")
    print_label("Since", "Since")
}

# --- what stands below a docstring --------------------------------------------------------------

function note_function(name) {
    calls[++ncalls] = name
    returns[name] = said["Returns"]
    from[name] = said["From"]
    waits[name] = said["Waits"]
}

# The name that a prototype declares: what stands before its first parenthesis.
function name_of(code) {
    sub(/\(.*/, "", code)
    sub(/[ \t]+$/, "", code)
    sub(/^.*[ *]/, "", code)
    return code
}

function flush_declaration(    name, code) {
    code = declaration
    declaration = ""
    if (code ~ /^typedef/) {
        name = code
        if (name !~ /\{/ && name ~ /\(\*/) { sub(/^.*\(\*/, "", name); sub(/\).*/, "", name) }
        else { sub(/;$/, "", name); sub(/^.*[ }]/, "", name) }
        if (name !~ /^weft__/)
            print_entry(name, private_away(code))
    } else {
        sub(/[ \n]*\{.*/, ";", code)
        gsub(/WEFT_API |WEFT_MUST_CHECK |static inline /, "", code)
        name = name_of(code)
        if (name ~ /^weft__/)
            return
        print_entry(name, wrapped(code))
        note_function(name)
    }
}

# A prototype on as few lines as it fits on.
function wrapped(code,    out, at) {
    gsub(/[ \t\n]+/, " ", code)
    gsub(/\( /, "(", code)
    while (length(code) > 96) {
        for (at = 96; at > 1 && substr(code, at, 2) != ", "; at--)
            ;
        if (at == 1)
            break
        out = out substr(code, 1, at) "\n"
        code = "        " substr(code, at + 2)
    }
    return out code
}

# A struct whose members are private is shown without them.
function private_away(code) {
    if (code ~ /weft__/ && code ~ /^typedef struct/) {
        sub(/ \{.*\}/, " { ... }", code)
    }
    return code
}

function flush_macros(    name) {
    if (macros == "")
        return
    name = macros
    sub(/^#define /, "", name)
    sub(/[(\n ].*/, "", name)
    is_macro[name] = 1
    print_entry(name, macros)
    macros = ""
}

# What people write: a definition without its body; a number stays.
function macro_of(line,    name) {
    sub(/^#[ \t]*define[ \t]+/, "", line)
    if (line ~ /^[A-Za-z_0-9]+\(/) {
        sub(/\).*/, ")", line)
        return line
    }
    name = line
    sub(/[ \t].*/, "", name)
    return line ~ /[\\{(]/ ? name : "#define " line
}

# --- reading ------------------------------------------------------------------------------------

FNR == 1 {
    flush_macros()
    header = FILENAME
    sub(/^.*weft\//, "weft/", header)
    in_head = 1; in_doc = 0; has_doc = 0; ntop = 0; declaration = ""; in_cplusplus = 0
}

in_head && /\*\// { in_head = 0; print_head(); next }
in_head { line = $0; sub(/^ \* ?|^\/\*/, "", line); if (FNR > 1) top[++ntop] = line; next }

/^#ifdef __cplusplus/ { in_cplusplus = 1 }
/^#endif/ { in_cplusplus = 0 }
in_cplusplus { next }

/^\/\*\*/ {
    flush_macros()
    ndoc = 0; in_doc = 1
}
in_doc {
    line = $0
    is_last = sub(/ *\*\/.*$/, "", line)
    sub(/^\/\*\* ?|^ \* ?/, "", line)
    if (line != "" || ndoc > 0)
        doc[++ndoc] = line
    if (is_last) {
        while (ndoc > 0 && doc[ndoc] == "")
            ndoc--
        in_doc = 0; has_doc = 1
    }
    next
}

declaration != "" {
    declaration = declaration "\n" $0
    depth += braces($0)
    if (is_over($0))
        flush_declaration()
    next
}

has_doc && /^#[ \t]*define/ {
    if (!/define[ \t]+(WEFT|weft)__/)
        macros = macros (macros == "" ? "" : "\n") macro_of($0)
    in_macro = 1
}
in_macro { if ($0 !~ /\\$/) in_macro = 0; next }
macros != "" && !/^#/ { flush_macros(); has_doc = 0 }

has_doc && /^(typedef|WEFT_API|static inline)/ {
    has_doc = 0
    declaration = $0
    depth = braces($0)
    if (is_over($0))
        flush_declaration()
}

function braces(line,    open, close_) {
    open = gsub(/\{/, "{", line)
    close_ = gsub(/\}/, "}", line)
    return open - close_
}

# Whether a declaration ends on this line.
function is_over(line) {
    if (declaration ~ /^static inline/)
        return declaration ~ /\{/ || declaration ~ /;[ \t]*$/
    return depth == 0 && line ~ /;[ \t]*$/
}

# weft.h gives the first lines of the page, the others a section each.
function print_head(    i, line, start) {
    while (ntop > 0 && top[ntop] == "")
        ntop--
    if (header == "weft.h") {
        print "# Reference"
        print ""
        print "Made from the public headers by `docs/reference.sh`; what is to be changed stands there. What each"
        print "header is for, then every type, call and macro in it; then [from where each call may be"
        print "made](#from-where), and [which call answers which error](#which-error)."
        print ""
        for (start = 1; start <= ntop && top[start] !~ /^What holds/; start++)
            ;
        print_text(top, start, ntop)
        return
    }
    print ""
    line = top[1]
    sub(/^weft\/[a-z]+\.h - /, "", line)
    print "## " header
    print ""
    top[1] = toupper(substr(line, 1, 1)) substr(line, 2)
    print_text(top, 1, ntop)
}

# --- the tables ---------------------------------------------------------------------------------

function resolve(said_, what,    other, times) {
    while (match(said_, /^as weft_[a-z_0-9]+/) && times++ < 5) {
        other = substr(said_, RSTART + 3, RLENGTH - 3)
        said_ = what == "from" ? from[other] : what == "waits" ? waits[other] : returns[other]
    }
    return said_
}

# What a call answers at the places that its "From:" does not name, or "".
function elsewhere(where) {
    if (match(where, /\([^)]* (elsewhere|outside a task)\)/)) {
        where = substr(where, RSTART + 1, RLENGTH - 1)
        sub(/ (elsewhere|outside).*/, "", where)
        return where ~ /^-E/ ? "`" where "`" : where
    }
    return "no"
}

function in_task_or_job(where) {
    if (match(where, /\(-E[A-Z]+ in a task or job\)/)) {
        where = substr(where, RSTART + 1, RLENGTH - 1)
        sub(/ in a.*/, "", where)
        return "`" where "`"
    }
    return ""
}

# People call the macro, where there is one: weft_spawn for weft_spawn_at, weft_gather for
# weft_gather_n.
function known_as(name,    macro) {
    macro = name
    sub(/_(at|n)$/, "", macro)
    return (macro != name && macro in is_macro ? "`" macro "`, " : "") "`" name "`"
}

function cancellation(wait) {
    return wait ~ /^as / ? wait : wait ~ /no cancellation point/ ? "no" : \
           wait ~ /cancellation point/ ? "yes" : "no"
}

function print_row(name,    where, wait, named, other, refused, does, blocks, task, job, thread,
                   signal) {
    where = resolve(from[name], "from")
    wait = resolve(waits[name], "waits")
    does = wait ~ /^(yes|as)/ ? "waits" : wait ~ /^only/ ? "may wait" : "yes"
    blocks = wait ~ /^(yes|as)/ ? "blocks" : wait ~ /^only/ ? "may block" : "yes"
    if (where == "") {
        task = does; thread = blocks; signal = "no"
        job = wait ~ /never in a job/ ? "yes" : blocks
    } else {
        other = elsewhere(where)
        refused = in_task_or_job(where)
        named = where
        gsub(/\([^)]*\)/, "", named)
        if (named ~ /(any|every)where/)
            named = named " task job thread"
        task = named ~ /task/ ? does : refused != "" ? refused : other
        job = named ~ /job/ ? blocks : refused != "" ? refused : other
        thread = named ~ /thread/ ? blocks : other
        signal = named ~ /signal/ ? "yes" : "no"
    }
    sub(/\.$/, "", wait)
    print "| " known_as(name) " | " task " | " job " | " thread " | " signal " | " \
          cancellation(wait) " |"
}

# Enters a call under each error that its docstring names, or the one that it refers to.
function note_errors(name, rest,    error) {
    while (match(rest, /-E[A-Z][A-Z0-9]+/)) {
        error = substr(rest, RSTART + 1, RLENGTH - 1)
        rest = substr(rest, RSTART + RLENGTH)
        if (!(error in answers))
            errors[++nerrors] = error
        if (index(answers[error] ",", " `" name "`,") == 0)
            answers[error] = answers[error] (answers[error] == "" ? "" : ",") " `" name "`"
    }
}

function sort_errors(    i, j, error) {
    for (i = 2; i <= nerrors; i++) {
        error = errors[i]
        for (j = i - 1; j > 0 && errors[j] > error; j--)
            errors[j + 1] = errors[j]
        errors[j + 1] = error
    }
}

END {
    flush_macros()
    print ""
    print "## From where"
    print ""
    print "What a call does in a task, in a job of a pool, on a plain thread and in a signal handler. **waits**:"
    print "the task is suspended, its thread goes on. **blocks**: the thread sleeps. **no**: do not, there is no"
    print "answer that would help. The last column tells which calls are cancellation points, for a task: they"
    print "answer `-ECANCELED` once it is cancelled, and did nothing then. Before the first start a call that"
    print "needs the runtime answers `-ENXIO`, after a stop `-ESHUTDOWN`, and an old handle `-ESTALE`."
    print ""
    print "| call | task | job | plain thread | signal handler | cancellation point |"
    print "|---|---|---|---|---|---|"
    for (i = 1; i <= ncalls; i++)
        print_row(calls[i])
    print ""
    print "## Which error"
    print ""
    print "Which calls can answer it, by the names of `<errno.h>`; what it means stands at the call."
    print ""
    print "| error | calls |"
    print "|---|---|"
    for (i = 1; i <= ncalls; i++)
        note_errors(calls[i], returns[calls[i]] " " resolve(returns[calls[i]], "returns") " " \
                              resolve(from[calls[i]], "from"))
    sort_errors()
    for (i = 1; i <= nerrors; i++)
        print "| `-" errors[i] "` |" answers[errors[i]] " |"
}

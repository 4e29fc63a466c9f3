# The public headers, and one folder where they stand as they will when installed: weft.h and
# weft/*.h. Neither weft itself nor who uses it as a sub-project sees private headers that way.
set(WEFT_PUBLIC_HEADERS
    core/weft/base.h
    core/weft/local.h
    core/weft/runtime.h
    core/weft/scope.h
    core/weft/task.h
    core/weft/testing.h
    core/weft/time.h
    io/weft/io.h
    io/weft/net.h
    pool/weft/pool.h
    sync/weft/broadcast.h
    sync/weft/channel.h
    sync/weft/meet.h
    sync/weft/rwlock.h
    sync/weft/select.h
    sync/weft/sync.h)
list(TRANSFORM WEFT_PUBLIC_HEADERS PREPEND ${PROJECT_SOURCE_DIR}/)

file(MAKE_DIRECTORY ${PROJECT_BINARY_DIR}/include/weft)
file(CREATE_LINK ${PROJECT_SOURCE_DIR}/weft.h ${PROJECT_BINARY_DIR}/include/weft.h SYMBOLIC)
foreach(header ${WEFT_PUBLIC_HEADERS})
    cmake_path(GET header FILENAME name)
    file(CREATE_LINK ${header} ${PROJECT_BINARY_DIR}/include/weft/${name} SYMBOLIC)
endforeach()

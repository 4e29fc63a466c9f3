# What weft stands on. Each thing missing is named together with the Debian package that has it.
set(THREADS_PREFER_PTHREAD_FLAG OFF)
find_package(Threads REQUIRED)

find_path(WEFT_LIBURING_INCLUDE liburing.h)
find_library(WEFT_LIBURING_LIBRARY_FILE uring)
if(NOT WEFT_LIBURING_INCLUDE OR NOT WEFT_LIBURING_LIBRARY_FILE)
    message(FATAL_ERROR "weft needs liburing: apt-get install liburing-dev")
endif()
set(WEFT_LIBURING_LIBRARY uring) # by name, so that the installed package holds no path

find_path(WEFT_CK_INCLUDE ck_stack.h)
if(NOT WEFT_CK_INCLUDE)
    message(FATAL_ERROR "weft needs concurrencykit: apt-get install libck-dev")
endif()
mark_as_advanced(WEFT_LIBURING_INCLUDE WEFT_LIBURING_LIBRARY_FILE WEFT_CK_INCLUDE)

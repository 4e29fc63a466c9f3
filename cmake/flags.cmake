# How weft is compiled. weft_warnings: what the compiler says; weft_flags: what the library's code
# needs to be right (TLS, aliasing, frames) and hard to attack.
include(CheckCCompilerFlag)

add_library(weft_warnings INTERFACE)
target_compile_options(weft_warnings INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-Wall;-Wextra;-Wconversion;-Wshadow;-Wformat=2;-Werror=format-security>
    $<$<AND:$<BOOL:${WEFT_WERROR}>,$<COMPILE_LANGUAGE:C>>:-Werror>)

add_library(weft_flags INTERFACE)
target_compile_definitions(weft_flags INTERFACE _GNU_SOURCE)
target_compile_options(weft_flags INTERFACE
    $<$<COMPILE_LANGUAGE:C>:-std=gnu11>
    -fvisibility=hidden
    -fno-strict-aliasing
    -ftls-model=initial-exec # a task changes its thread: the general model keeps stale addresses
    -fno-omit-frame-pointer
    -fstack-protector-strong
    -fstack-clash-protection) # a big frame must not jump over a stack's guard

# Indirect branch tracking only: weft's switch does not keep a shadow stack.
check_c_compiler_flag(-fcf-protection=branch WEFT_HAS_CF_PROTECTION)
if(WEFT_HAS_CF_PROTECTION)
    target_compile_options(weft_flags INTERFACE -fcf-protection=branch)
endif()

# Checked string functions need the optimiser, and the sanitizers have better ones.
if(NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    target_compile_options(weft_flags INTERFACE
        $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE;-D_FORTIFY_SOURCE=3>)
endif()

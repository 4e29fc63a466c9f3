/*
 * ck - the only door to concurrencykit: its multi-producer stack, the way in for ready tasks.
 *
 * 0.7.1 of Debian 12 is sound in what is used here: push by many, pop of everything by one or many
 * (no single pops, whose ABA and double-word traps are not needed). ThreadSanitizer cannot see ck's
 * assembly: its builds include core/ck_tsan.h, which maps the same operations to the compiler's.
 */
#ifndef WEFT_CORE_CK_H
#define WEFT_CORE_CK_H

#if defined(__SANITIZE_THREAD__)
#    define WEFT_CK_SHIM 1
#elif defined(__has_feature)
#    if __has_feature(thread_sanitizer)
#        define WEFT_CK_SHIM 1
#    endif
#endif
#ifdef WEFT_CK_SHIM
#    include "core/ck_tsan.h"
#endif

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wshadow"
#include <ck_stack.h>
#pragma GCC diagnostic pop

#if defined(__aarch64__) && defined(CK_MD_TSO)
#    error "these concurrencykit headers were made for x86: their fences are empty here"
#endif

#endif

/*
 * checksum.h - FNV-1a, 64 bits: what slow_service announces about a feed and contrast computes from
 * the bytes that came.
 */
#ifndef SLOW_SERVICE_CHECKSUM_H
#define SLOW_SERVICE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#define CHECKSUM_START 0xcbf29ce484222325u

/** Takes `bytes` more bytes into the checksum, which starts as CHECKSUM_START. */
static inline uint64_t checksum_add(uint64_t checksum, const void *data, size_t bytes)
{
    const unsigned char *byte = data;

    for (size_t i = 0; i < bytes; i++)
        checksum = (checksum ^ byte[i]) * 0x100000001b3u;
    return checksum;
}

#endif

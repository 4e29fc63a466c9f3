/*
 * address - socket addresses, to and from words.
 */
#ifndef WEFT_IO_ADDRESS_H
#define WEFT_IO_ADDRESS_H

#include <stdbool.h>
#include <sys/socket.h>

#include <weft/net.h>

struct address {
    union {
        struct sockaddr any;
        struct sockaddr_storage storage;
    };
    uint32_t bytes;
};

/* Fills in a numeric host ("127.0.0.1", "::1", "fe80::1%eth0") and a port. False: it is none. */
bool weft__address_parse(const char *host, int port, struct address *ret_address);

/* Returns 0, or -EAFNOSUPPORT: no internet address. */
int weft__address_words(const struct address *address, weft_address *ret_words);

#endif

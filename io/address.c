/*
 * address - see address.h.
 */
#include "io/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The number of an interface given by name or number; 0: there is none. */
static uint32_t scope_of(const char *zone)
{
    char *end;
    unsigned long number = strtoul(zone, &end, 10);

    if (*zone && !*end)
        return (uint32_t)number;
    int saved = errno;
    uint32_t index = if_nametoindex(zone);
    errno = saved;
    return index;
}

static bool parse_v6(const char *host, int port, struct address *ret_address)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    const char *zone = strchr(host, '%');
    char number[INET6_ADDRSTRLEN];
    size_t length = zone ? (size_t)(zone - host) : strlen(host);

    if (length >= sizeof number)
        return false;
    memcpy(number, host, length);
    number[length] = '\0';
    if (inet_pton(AF_INET6, number, &v6.sin6_addr) != 1)
        return false;
    if (zone)
        v6.sin6_scope_id = scope_of(zone + 1);
    if (zone && v6.sin6_scope_id == 0)
        return false;
    memcpy(&ret_address->storage, &v6, sizeof v6);
    ret_address->bytes = sizeof v6;
    return true;
}

bool weft__address_parse(const char *host, int port, struct address *ret_address)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

    if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
        return parse_v6(host, port, ret_address);
    memcpy(&ret_address->storage, &v4, sizeof v4);
    ret_address->bytes = sizeof v4;
    return true;
}

static void words_v6(const struct sockaddr_in6 *v6, weft_address *ret_words)
{
    char zone[IF_NAMESIZE];
    size_t length;

    ret_words->port = ntohs(v6->sin6_port);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) { /* an IPv4 peer of a listener for all */
        (void)inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], ret_words->host,
                        sizeof ret_words->host); /* fits */
        return;
    }
    (void)inet_ntop(AF_INET6, &v6->sin6_addr, ret_words->host, sizeof ret_words->host); /* fits */
    length = strlen(ret_words->host);
    if (v6->sin6_scope_id != 0 && if_indextoname(v6->sin6_scope_id, zone))
        (void)snprintf(ret_words->host + length, sizeof ret_words->host - length, "%%%s",
                       zone); /* fits */
}

int weft__address_words(const struct address *address, weft_address *ret_words)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (address->any.sa_family == AF_INET) {
        memcpy(&v4, &address->storage, sizeof v4);
        ret_words->port = ntohs(v4.sin_port);
        (void)inet_ntop(AF_INET, &v4.sin_addr, ret_words->host, sizeof ret_words->host); /* fits */
        return 0;
    }
    if (address->any.sa_family != AF_INET6)
        return -EAFNOSUPPORT;
    memcpy(&v6, &address->storage, sizeof v6);
    words_v6(&v6, ret_words);
    return 0;
}

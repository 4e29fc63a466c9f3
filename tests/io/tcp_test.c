/*
 * tcp_test - connections: echo, many of them, by name and number, and every way not to get one.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

#include "wires.h"

#define CONNECTIONS 48
#define MESSAGES    20
#define MOST        (128 * 1024) /* bytes of a message: more than a socket holds at once */

static int echo(void *arg)
{
    int fd = *(int *)arg;
    char block[4096];
    ssize_t n;

    while ((n = weft_read(fd, block, sizeof block)) > 0)
        if (!EXPECT(weft_write_full(fd, block, (size_t)n), n))
            break;
    EXPECT(n, 0);
    return weft_close(fd);
}

static int serve(void *arg)
{
    int listener = *(int *)arg;
    weft_scope clients;

    EXPECT(weft_scope_open(&clients), 0);
    for (int i = 0; i < CONNECTIONS; i++) {
        int client = weft_tcp_accept(listener, NULL);
        EXPECT(client >= 0, true);
        (void)weft_scope_spawn_val(&clients, echo, client); /* a failure is the scope's */
    }
    return weft_scope_close(&clients, 0);
}

struct message {
    int fd;
    size_t bytes;
    unsigned char *out;
};

static int send_message(void *arg)
{
    struct message *message = arg;

    EXPECT(weft_write_full(message->fd, message->out, message->bytes), message->bytes);
    return 0;
}

struct client {
    int port;
    uint64_t seed;
};

static int talk(void *arg)
{
    struct client client = *(struct client *)arg;
    unsigned char *out = malloc(MOST);
    unsigned char *back = malloc(MOST);
    int fd = weft_tcp_connect("127.0.0.1", client.port);

    EXPECT(fd >= 0 && out && back, true);
    for (int i = 0; i < MESSAGES; i++) {
        struct message message = {fd, 1 + check_random(&client.seed) % MOST, out};
        for (size_t k = 0; k < message.bytes; k++)
            out[k] = (unsigned char)check_random(&client.seed);
        weft_future sending = weft_spawn(send_message, &message);
        EXPECT(weft_read_full(fd, back, message.bytes), message.bytes);
        EXPECT(weft_await(sending), 0);
        EXPECT(memcmp(out, back, message.bytes), 0);
    }
    EXPECT(weft_close(fd), 0);
    free(out);
    free(back);
    check_progress();
    return 0;
}

static int echo_to_many(void *arg)
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);
    weft_future serving = weft_spawn_val(serve, listener);
    weft_future talking[CONNECTIONS];

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    for (int i = 0; i < CONNECTIONS; i++)
        talking[i] = weft_spawn_val(talk, ((struct client){at.port, (uint64_t)i}));
    EXPECT(weft_gather_n(talking, CONNECTIONS, NULL), 0);
    EXPECT(weft_await(serving), 0);
    return weft_close(listener);
}

static void an_echo_gives_back_every_byte_on_many_connections(void **state)
{
    RUN_EVERYWHERE(echo_to_many);
}

static int connect_by(const char *host)
{
    weft_address at = {.port = 0};
    weft_address peer = {.port = 0};
    weft_address own = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    EXPECT(weft_local_address(listener, &at), 0);
    EXPECT(strcmp(at.host, "127.0.0.1"), 0);
    int client = weft_tcp_connect(host, at.port);
    if (!EXPECT(client >= 0, true))
        return weft_close(listener);
    int server = weft_tcp_accept(listener, &peer);
    EXPECT(weft_local_address(client, &own), 0);
    EXPECT(strcmp(peer.host, own.host), 0);
    EXPECT(peer.port, own.port);
    EXPECT(weft_close(client), 0);
    EXPECT(weft_close(server), 0);
    return weft_close(listener);
}

static int connect_by_number(void *arg)
{
    (void)arg;
    return connect_by("127.0.0.1");
}

static void a_host_is_reached_by_number(void **state) { RUN_EVERYWHERE(connect_by_number); }

static int connect_by_name(void *arg)
{
    (void)arg;
    return connect_by("localhost");
}

/* A system that was made a minute ago may lack /etc/hosts. */
static bool knows_localhost(void)
{
    struct addrinfo *found;

    if (getaddrinfo("localhost", NULL, NULL, &found) != 0)
        return false;
    freeaddrinfo(found);
    return true;
}

static void a_host_is_reached_by_name(void **state)
{
    if (!knows_localhost())
        skip();
    RUN_EVERYWHERE(connect_by_name);
}

static int listen_everywhere(void *arg)
{
    weft_address at = {.port = 0};
    weft_address peer = {.port = 0};
    int listener = weft_tcp_listen(NULL, 0, NULL);

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    int client = weft_tcp_connect("127.0.0.1", at.port);
    int server = weft_tcp_accept(listener, &peer);
    EXPECT(strcmp(peer.host, "127.0.0.1"), 0); /* also where the listener speaks IPv6 */
    EXPECT(weft_close(client), 0);
    EXPECT(weft_close(server), 0);
    return weft_close(listener);
}

static void a_listener_for_all_takes_ipv4_and_names_it_so(void **state)
{
    RUN_EVERYWHERE(listen_everywhere);
}

/* Whether the last call of this thread explained itself with these words. */
static bool why_says(const char *words) { return strstr(weft_why(), words) != NULL; }

static int fail_to_connect(void *arg)
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    EXPECT(weft_close(listener), 0);
    int rc = weft_tcp_connect("127.0.0.1", at.port);
    EXPECT(why_says("Connection refused") && why_says("is the server running"), true);
    EXPECT(rc, -ECONNREFUSED);
    rc = weft_tcp_connect("no-such-host.invalid", 80);
    EXPECT(why_says("\"no-such-host.invalid\""), true);
    EXPECT(rc == -ENOENT || rc == -EAGAIN, true); /* -EAGAIN: a machine without a name server */
    EXPECT(weft_tcp_connect("127.0.0.1", 0), -EINVAL);
    EXPECT(why_says("0 is no port"), true);
    EXPECT(weft_tcp_connect("127.0.0.1", 65536), -EINVAL);
    EXPECT(weft_tcp_connect("", 80), -EINVAL);
    EXPECT(weft_tcp_connect(NULL, 80), -EINVAL);
    EXPECT(why_says("no host"), true);
    return 0;
}

static void a_failed_connect_names_its_reason(void **state) { RUN_EVERYWHERE(fail_to_connect); }

static void a_failed_listen_names_its_reason(void **state)
{
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL); /* works on any thread */

    (void)state;
    assert_true(listener >= 0);
    assert_int_equal(weft_local_address(listener, &at), 0);
    assert_int_equal(weft_tcp_listen("127.0.0.1", at.port, NULL), -EADDRINUSE);
    assert_true(why_says("in use"));
    assert_int_equal(weft_tcp_listen("192.0.2.1", 0, NULL), -EADDRNOTAVAIL);
    assert_int_equal(weft_tcp_listen("localhost", 0, NULL), -EINVAL);
    assert_true(why_says("\"localhost\" is no numeric address"));
    assert_int_equal(weft_tcp_listen("127.0.0.1", -1, NULL), -EINVAL);
    assert_true(why_says("-1 is no port"));
    assert_int_equal(weft_close(listener), 0);
    assert_int_equal(weft_local_address(listener, &at), -EBADF);
}

static void several_listeners_may_share_a_port_if_all_want_to(void **state)
{
    weft_address at = {.port = 0};
    weft_listen_options share = {.reuse_port = true};
    int first = weft_tcp_listen("127.0.0.1", 0, &share);

    (void)state;
    assert_int_equal(weft_local_address(first, &at), 0);
    int second = weft_tcp_listen("127.0.0.1", at.port, &share);
    assert_true(second >= 0);
    assert_int_equal(weft_close(first), 0);
    assert_int_equal(weft_close(second), 0);
}

static int look_at_options(void *arg)
{
    int ends[2];

    (void)arg;
    tcp_wire(ends);
    for (int i = 0; i < 2; i++) {
        int value = 0;
        socklen_t bytes = sizeof value;
        EXPECT(getsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &value, &bytes), 0);
        EXPECT(value != 0, true);
    }
    close_both(ends);
    return 0;
}

static void connections_do_not_hold_back_small_messages(void **state)
{
    RUN_EVERYWHERE(look_at_options);
}

static int shut_one_direction(void *arg)
{
    int ends[2];
    char bytes[4];

    (void)arg;
    tcp_wire(ends);
    EXPECT(weft_write(ends[0], "bye", 3), 3);
    EXPECT(weft_shutdown(ends[0], SHUT_WR), 0);
    EXPECT(weft_read_full(ends[1], bytes, 4), 3);
    EXPECT(weft_write(ends[1], "ok", 2), 2); /* the other direction is open */
    EXPECT(weft_read_full(ends[0], bytes, 2), 2);
    EXPECT(weft_write(ends[0], "x", 1), -EPIPE);
    EXPECT(weft_shutdown(ends[0], 77), -EINVAL);
    close_both(ends);
    return 0;
}

static void one_direction_ends_and_the_other_goes_on(void **state)
{
    RUN_EVERYWHERE(shut_one_direction);
}

/* The peer sends two bytes and resets the connection: that must not look like its end. */
static int read_up_to_reset(void *arg)
{
    int ends[2];
    char bytes[4];
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    ssize_t n;

    (void)arg;
    tcp_wire(ends);
    EXPECT(setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &abort, sizeof abort), 0);
    EXPECT(weft_write(ends[0], "ab", 2), 2);
    EXPECT(weft_read_full(ends[1], bytes, 1), 1);
    EXPECT(weft_close(ends[0]), 0);
    n = weft_read_full(ends[1], bytes, 4);
    if (n > 0) /* the byte was still there: then the reset comes with the next call */
        n = weft_read_full(ends[1], bytes, 4);
    EXPECT(n, -ECONNRESET);
    EXPECT(weft_close(ends[1]), 0);
    return 0;
}

static void a_reset_is_never_taken_for_the_end(void **state) { RUN_EVERYWHERE(read_up_to_reset); }

static int run_out_of_descriptors(void *arg)
{
    struct rlimit limit;
    weft_address at = {.port = 0};
    int listener = weft_tcp_listen("127.0.0.1", 0, NULL);
    int spare[64];
    int count = 0;

    (void)arg;
    EXPECT(weft_local_address(listener, &at), 0);
    int client = weft_tcp_connect("127.0.0.1", at.port);
    EXPECT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit low = {.rlim_cur = 64, .rlim_max = limit.rlim_max};
    EXPECT(setrlimit(RLIMIT_NOFILE, &low), 0);
    while (count < 64 && (spare[count] = dup(client)) >= 0)
        count++;
    EXPECT(weft_tcp_accept(listener, NULL), -EMFILE);
    EXPECT(weft_tcp_connect("127.0.0.1", at.port), -EMFILE);
    EXPECT(why_says("ulimit"), true);
    EXPECT(weft_open("/dev/null", O_RDONLY, 0), -EMFILE);
    while (count > 0)
        EXPECT(close(spare[--count]), 0);
    int server = weft_tcp_accept(listener, NULL); /* nothing was lost */
    EXPECT(server >= 0, true);
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT(weft_close(server), 0);
    EXPECT(weft_close(client), 0);
    return weft_close(listener);
}

static void want_of_descriptors_is_an_error_that_passes(void **state)
{
    RUN_EVERYWHERE(run_out_of_descriptors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_echo_gives_back_every_byte_on_many_connections),
        cmocka_unit_test(a_host_is_reached_by_number),
        cmocka_unit_test(a_host_is_reached_by_name),
        cmocka_unit_test(a_listener_for_all_takes_ipv4_and_names_it_so),
        cmocka_unit_test(a_failed_connect_names_its_reason),
        cmocka_unit_test(a_failed_listen_names_its_reason),
        cmocka_unit_test(several_listeners_may_share_a_port_if_all_want_to),
        cmocka_unit_test(connections_do_not_hold_back_small_messages),
        cmocka_unit_test(one_direction_ends_and_the_other_goes_on),
        cmocka_unit_test(a_reset_is_never_taken_for_the_end),
        cmocka_unit_test(want_of_descriptors_is_an_error_that_passes),
    };

    return CHECK_GROUP(tests);
}

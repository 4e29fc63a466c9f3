/*
 * load - see load.h.
 */
#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/atomic.h"
#include "core/sys.h"
#include "stress.h"

static int naps(void *arg)
{
    const struct load_task *task = arg;

    return weft_sleep(weft_us((int64_t)(task->random % 50)));
}

static int computes(void *arg)
{
    const struct load_task *task = arg;

    for (uint64_t i = 0; i < task->random % 64 && !weft_cancelled(); i++)
        spin_pause();
    return 0;
}

static int takes_a_permit(struct load_task *task)
{
    struct load *load = task->load;
    uint32_t n = task->random % 4 == 0 ? 2 : 1;
    int rc = weft_sem_acquire_n(&load->sem, n); /* suspends: worker, errno stale */

    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&load->inside, (int)n) + (int)n > LOAD_PERMITS)
        atomic_fetch_add(&load->too_many, 1);
    rc = weft_yield();
    atomic_fetch_sub(&load->inside, (int)n);
    atomic_fetch_add(&load->wrong, weft_sem_release_n(&load->sem, n) != 0);
    return rc;
}

static int takes_the_lock(struct load_task *task)
{
    struct load *load = task->load;
    int rc = weft_lock_cancellable(&load->mutex); /* suspends: worker, errno stale */

    if (rc < 0)
        return rc;
    rc = weft_yield();
    atomic_fetch_add(&load->wrong, weft_unlock(&load->mutex) != 0);
    return rc;
}

static int reads_or_writes(struct load_task *task)
{
    struct load *load = task->load;
    bool writes = task->random % 4 == 0;
    int rc = writes ? weft_write_lock_cancellable(&load->rwlock)
                    : weft_read_lock_cancellable(&load->rwlock);

    if (rc < 0)
        return rc;
    if (writes)
        atomic_fetch_add(&load->too_many, atomic_fetch_add(&load->writing, 1) != 0);
    rc = weft_yield();
    if (writes)
        atomic_fetch_sub(&load->writing, 1);
    int out = writes ? weft_write_unlock(&load->rwlock) : weft_read_unlock(&load->rwlock);
    atomic_fetch_add(&load->wrong, out != 0);
    return rc;
}

static int sends(struct load *load, long item)
{
    int rc = weft_send(&load->channel, &item); /* suspends: worker, errno stale */

    if (rc == 0)
        atomic_fetch_add(&load->sent, item);
    return rc;
}

static int receives(struct load *load)
{
    long item = 0;
    int rc = weft_receive(&load->channel, &item); /* suspends: worker, errno stale */

    if (rc == 1)
        atomic_fetch_add(&load->received, item);
    return rc;
}

static int selects(struct load_task *task)
{
    struct load *load = task->load;
    long out = (long)(task->random % 9), in = 0;
    int rc;
    int arm =
        weft_select(&rc, weft_on_send(&load->channel, &out), weft_on_receive(&load->channel, &in),
                    weft_on_event(&load->event), weft_on_time(weft_now() + weft_us(30)));

    if (arm == 0 && rc == 0)
        atomic_fetch_add(&load->sent, out);
    if (arm == 1 && rc == 1)
        atomic_fetch_add(&load->received, in);
    return rc;
}

/* One byte over a wire that all share; only one may read and one write at a time. */
static int uses_the_wire(struct load_task *task)
{
    struct load *load = task->load;
    char byte = 'w';
    bool writes = task->random % 2;
    ssize_t n = writes ? weft_write(load->wires[0], &byte, 1) : weft_read(load->wires[1], &byte, 1);

    if (n == 1)
        atomic_fetch_add(writes ? &load->written : &load->read, 1);
    return n == -EBUSY ? 0 : n < 0 ? (int)n : 0;
}

static int offloads(struct load_task *task)
{
    weft_pool *pool = task->random % 4 ? weft_cpu() : weft_blocking_lane();

    return weft_await(weft_offload(pool, computes, task));
}

static int opens_a_scope(struct load_task *task)
{
    weft_scope scope;
    int rc = weft_scope_open(&scope);

    if (rc < 0)
        return rc;
    weft_scope_spawn(&scope, naps, task);
    weft_scope_spawn(&scope, naps, task);
    if (task->random % 3 == 0)
        weft_scope_stop(&scope);
    return weft_scope_close(&scope, 0);
}

static int waits_somehow(struct load_task *task)
{
    struct load *load = task->load;
    weft_time soon = weft_us((int64_t)(task->random % 40));

    switch (task->way) {
    case SLEEPS: return naps(task);
    case AWAITS: return weft_await(weft_spawn(naps, task));
    case GATHERS: return weft_gather(weft_spawn(naps, task), weft_spawn(naps, task));
    case RACES: return weft_race(weft_spawn(naps, task), weft_spawn(naps, task));
    case PERMIT: return takes_a_permit(task);
    case LOCK: return takes_the_lock(task);
    case READS: return reads_or_writes(task);
    case SENDS: return sends(load, (long)(task->random % 9));
    case RECEIVES: return receives(load);
    case SELECTS: return selects(task);
    case EVENT: return weft_event_wait(&load->event);
    case WIRE: return uses_the_wire(task);
    case OFFLOADS: return offloads(task);
    case TIME_OUT: return weft_timeout(soon, naps, task);
    case SCOPES: return opens_a_scope(task);
    case YIELDS:
    case WAYS: break;
    }
    return weft_yield();
}

int load_run(void *arg)
{
    struct load_task *task = arg;
    struct load *load = task->load;
    int rc = waits_somehow(task); /* suspends: worker, errno stale */

    if (rc < 0 && rc != -ECANCELED && rc != -ETIMEDOUT)
        atomic_fetch_add(&load->wrong, 1);
    atomic_fetch_add(&load->ended, 1);
    return rc;
}

void load_dropped(void *arg) { atomic_fetch_add(&((struct load_task *)arg)->load->dropped, 1); }

bool load_may_wait_for_ever(enum load_way way)
{
    return way == SENDS || way == RECEIVES || way == EVENT || way == WIRE;
}

void load_help(struct load *load, uint64_t random)
{
    long item = 1;
    char byte;

    weft_event_set(&load->event);
    weft_event_clear(&load->event);
    if (random & 1 && weft_try_send(&load->channel, &item) == 0)
        atomic_fetch_add(&load->sent, item);
    else if (weft_try_receive(&load->channel, &item) == 1)
        atomic_fetch_add(&load->received, item);
    if (random & 2 && recv(load->wires[1], &byte, 1, MSG_DONTWAIT) == 1)
        atomic_fetch_add(&load->read, 1);
}

static long left_in_channel(struct load *load)
{
    long item, left = 0;

    while (weft_try_receive(&load->channel, &item) == 1)
        left += item;
    return left;
}

static long left_in_wire(struct load *load)
{
    char byte;
    long left = 0;

    while (recv(load->wires[1], &byte, 1, MSG_DONTWAIT) == 1)
        left++;
    return left;
}

static int permits_left(weft_sem *sem)
{
    int left = 0;

    while (weft_sem_try_acquire(sem) == 0)
        left++;
    return left;
}

int load_open(struct load *load, size_t capacity)
{
    int fds[LOAD_FDS];

    *load = (struct load){.sem = WEFT_SEM_INIT(LOAD_PERMITS),
                          .mutex = WEFT_MUTEX_INIT,
                          .rwlock = WEFT_RWLOCK_INIT,
                          .event = WEFT_EVENT_INIT};
    load->pieces = weft__sys_live();
    load->descriptors = weft__sys_descriptors(fds, LOAD_FDS);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, load->wires) != 0)
        return -errno;
    return weft_channel_init(&load->channel, sizeof(long), capacity);
}

/* Whether every lock is free and every permit there. */
static bool is_all_free(struct load *load)
{
    return permits_left(&load->sem) == LOAD_PERMITS && weft_try_lock(&load->mutex) == 0 &&
           weft_unlock(&load->mutex) == 0 && weft_try_write_lock(&load->rwlock) == 0 &&
           weft_write_unlock(&load->rwlock) == 0;
}

const char *load_close(struct load *load)
{
    static char words[240];
    int fds[LOAD_FDS];
    long in_channel = left_in_channel(load), in_wire = left_in_wire(load);
    bool is_free = is_all_free(load);

    weft_channel_destroy(&load->channel);
    (void)close(load->wires[0]); /* plain ones */
    (void)close(load->wires[1]);
    long long pieces = (long long)(weft__sys_live() - load->pieces);
    int descriptors = weft__sys_descriptors(fds, LOAD_FDS) - load->descriptors;
    if (load->spawned == load->ended + load->dropped && load->sent == load->received + in_channel &&
        load->written == load->read + in_wire && is_free && load->inside == 0 &&
        load->too_many == 0 && load->wrong == 0 && pieces == 0 && descriptors == 0)
        return NULL;
    (void)snprintf(
        words, sizeof words,
        "%d spawned, %d ended, %d dropped; %ld sent, %ld received, %ld left; %ld written, "
        "%ld read, %ld left; %s; %d inside, %d too many, %d wrong; %lld pieces, %d "
        "descriptors",
        load->spawned, load->ended, load->dropped, load->sent, load->received, in_channel,
        load->written, load->read, in_wire, is_free ? "free" : "not free", load->inside,
        load->too_many, load->wrong, pieces, descriptors); /* fits */
    return words;
}

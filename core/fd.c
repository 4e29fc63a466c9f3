/*
 * fd - see fd.h. The records stand in chunks that are made on demand and published by compare-and-
 * swap; a chunk that lost the race is thrown away.
 */
#include "core/fd.h"

#include <errno.h>
#include <sys/stat.h>

#include "core/atomic.h"
#include "core/loop.h"
#include "core/sys.h"
#include "core/wait.h"

#define CHUNK_RECORDS 512
#define MOST_CHUNKS   8192 /* 4 million descriptors; Linux allows 1 million unless told otherwise */

struct fd_record {
    struct lock lock;
    bool is_closing;
    bool is_no_socket;
    bool is_drained;       /* passed from reader to reader: fd_use.is_drained */
    bool is_taken[3];      /* by enum fd_seat; the first is not used */
    struct list uses;      /* struct fd_use.link */
    struct waiter *closer; /* waits for the last use to end */
    int deferred;          /* under the reader's seat: what weft__fd_defer keeps, and */
    dev_t device;          /* for which device and */
    ino_t inode;           /* inode: the host may have given the number to something else */
};

struct fd_table {
    _Atomic(struct fd_record *) chunks[MOST_CHUNKS];
};

struct fd_table *weft__fd_table_new(void) { return weft__sys_alloc(sizeof(struct fd_table)); }

void weft__fd_table_free(struct fd_table *table)
{
    if (!table)
        return;
    for (size_t i = 0; i < MOST_CHUNKS; i++)
        weft__sys_free(load_seq(&table->chunks[i]));
    weft__sys_free(table);
}

static struct fd_record *new_chunk(struct fd_table *table, size_t index)
{
    struct fd_record *chunk = weft__sys_alloc(CHUNK_RECORDS * sizeof *chunk);
    struct fd_record *expected = NULL;

    if (!chunk)
        return NULL;
    if (cas_seq(&table->chunks[index], &expected, chunk))
        return chunk;
    weft__sys_free(chunk);
    return expected;
}

/* Returns 0 and the record of a number; -EBADF (never a descriptor), -ENOMEM. */
static int record_of(struct fd_table *table, int fd, struct fd_record **ret_record)
{
    size_t index = (size_t)fd / CHUNK_RECORDS;

    if (fd < 0)
        return -EBADF;
    if (index >= MOST_CHUNKS)
        return -ENOMEM;
    struct fd_record *chunk = load_seq(&table->chunks[index]);
    if (!chunk)
        chunk = new_chunk(table, index);
    if (!chunk)
        return -ENOMEM;
    *ret_record = &chunk[(size_t)fd % CHUNK_RECORDS];
    return 0;
}

int weft__fd_begin(struct fd_table *table, int fd, enum fd_seat seat, struct fd_use *use)
{
    struct fd_record *record;
    int rc = record_of(table, fd, &record);

    if (rc < 0)
        return rc;
    lock_acquire(&record->lock);
    if (record->is_closing) {
        rc = -EBADF;
    } else if (seat != FD_SEAT_NONE && record->is_taken[seat]) {
        rc = -EBUSY;
    } else {
        *use = (struct fd_use){.record = record,
                               .seat = seat,
                               .is_no_socket = record->is_no_socket,
                               .is_drained = record->is_drained};
        record->is_taken[seat] = seat != FD_SEAT_NONE;
        list_push_last(&record->uses, &use->link);
    }
    lock_release(&record->lock);
    return rc;
}

void weft__fd_end(struct fd_use *use)
{
    struct fd_record *record = use->record;
    struct waiter *closer = NULL;

    lock_acquire(&record->lock);
    list_remove(&record->uses, &use->link);
    record->is_taken[use->seat] = false;
    if (use->seat == FD_SEAT_READER)
        record->is_drained = use->is_drained;
    if (list_is_empty(&record->uses)) {
        closer = record->closer;
        record->closer = NULL;
    }
    lock_release(&record->lock);
    if (closer)
        (void)weft__wake(closer, 0); /* nothing else wakes it */
}

static void cancel_locked(struct fd_use *use)
{
    if (use->key != 0)
        use->loop->ops->cancel(use->loop, use->key);
}

void weft__fd_publish(struct fd_use *use, struct loop *loop, uint64_t key)
{
    if (!use)
        return;
    lock_acquire(&use->record->lock);
    use->loop = loop;
    use->key = key;
    if (use->record->is_closing) /* I2: the closer has been here already */
        cancel_locked(use);
    lock_release(&use->record->lock);
}

bool weft__fd_is_closing(const struct fd_use *use)
{
    lock_acquire(&use->record->lock);
    bool is_closing = use->record->is_closing;
    lock_release(&use->record->lock);
    return is_closing;
}

void weft__fd_hint_no_socket(const struct fd_use *use)
{
    lock_acquire(&use->record->lock);
    use->record->is_no_socket = true;
    lock_release(&use->record->lock);
}

void weft__fd_defer(struct fd_use *use, int fd, int failure)
{
    struct stat stat;

    if (weft__sys_fstat(fd, &stat) < 0)
        return;
    use->record->device = stat.st_dev;
    use->record->inode = stat.st_ino;
    use->record->deferred = failure;
}

int weft__fd_take_deferred(struct fd_use *use, int fd)
{
    struct fd_record *record = use->record;
    int failure = record->deferred;
    struct stat stat;

    if (failure == 0)
        return 0;
    record->deferred = 0;
    if (weft__sys_fstat(fd, &stat) < 0 || stat.st_dev != record->device ||
        stat.st_ino != record->inode)
        return 0;
    return failure;
}

int weft__fd_in_flight(struct fd_table *table, int fd)
{
    struct fd_record *record;
    int count = 0;

    if (record_of(table, fd, &record) < 0)
        return 0;
    lock_acquire(&record->lock);
    for (struct link *link = record->uses.first; link; link = link->next)
        count += container_of(link, struct fd_use, link)->key != 0;
    lock_release(&record->lock);
    return count;
}

/* Cancels all uses and waits until they have ended. Called and returns with the record locked. */
static void end_uses(struct fd_record *record)
{
    struct waiter waiter;

    weft__wait_begin(&waiter);
    wait_is_for(&waiter, "the last use of a descriptor");
    record->closer = &waiter;
    for (struct link *link = record->uses.first; link; link = link->next)
        cancel_locked(container_of(link, struct fd_use, link));
    lock_release(&record->lock);
    (void)weft__wait_commit(&waiter, WAIT_FOR_SURE); /* suspends: worker, errno stale */
    lock_acquire(&record->lock);
}

int weft__fd_close(struct fd_table *table, int fd)
{
    struct fd_record *record;
    int rc = record_of(table, fd, &record);

    if (rc == -ENOMEM) /* so nobody has used it */
        return weft__sys_close(fd);
    if (rc < 0)
        return rc;
    lock_acquire(&record->lock);
    bool is_busy = !list_is_empty(&record->uses);
    if (record->is_closing) {
        rc = -EBADF;
    } else if (is_busy && !weft__current_task()) {
        rc = -EBUSY;
    } else {
        record->is_closing = true;
        if (is_busy)
            end_uses(record);     /* suspends: worker, errno stale */
        rc = weft__sys_close(fd); /* I3: the one place where a lock is held over a system call */
        record->is_closing = false;
        record->is_no_socket = false;
        record->is_drained = false;
        record->deferred = 0;
    }
    lock_release(&record->lock);
    return rc;
}

/*
 * fd - what weft knows about descriptors in use: who reads, who writes, what waits, who closes.
 *
 * One record per number, made when the number is first used, never freed before the runtime. Nothing
 * that is kept here survives the end of the operations but the hint, and a wrong hint costs only time:
 * the host may close and reuse numbers behind our back.
 *
 *     task:    fd_begin -> (fd_publish -> the operation)* -> fd_end
 *     closer:  fd_close: marks it closing, cancels what is published, waits for the last fd_end, closes
 *
 * Invariants  I1  at most one use has the reader's seat, and one the writer's
 *             I2  while a record is closing no use begins, and none that goes on stays uncancelled
 *             I3  close(2) happens with the record locked: who gets the number next must find it clean
 */
#ifndef WEFT_CORE_FD_H
#define WEFT_CORE_FD_H

#include <stdbool.h>

#include "core/list.h"
#include "core/lock.h"

struct fd_table;
struct fd_record;
struct loop;

enum fd_seat {
    FD_SEAT_NONE,   /* at an offset: any number at a time */
    FD_SEAT_READER, /* reads in order, or accepts */
    FD_SEAT_WRITER,
};

/* One call that uses a descriptor, on the stack of the task that makes it. */
struct fd_use {
    struct link link;         /* in record->uses */
    struct fd_record *record; /* (i) */
    enum fd_seat seat;        /* (i) */
    bool is_no_socket;        /* (i) a hint: the last call that looked found no socket there */
    bool is_drained;          /* the reader's: a hint, its last read took all there was */
    struct loop *loop;        /* under the record's lock: where its operation is in flight */
    uint64_t key;             /* under the record's lock: which one; 0: none yet; may have ended */
};

/* NULL: no memory. */
struct fd_table *weft__fd_table_new(void);
void weft__fd_table_free(struct fd_table *table);

/* Begins a call on fd. Returns 0; -EBADF (no descriptor, or being closed), -EBUSY (the seat is
 * taken), -ENOMEM. */
int weft__fd_begin(struct fd_table *table, int fd, enum fd_seat seat, struct fd_use *use);
void weft__fd_end(struct fd_use *use);

/* The operation with this key is in flight and may be cancelled; if the descriptor is being closed,
 * it is at once. `use` may be NULL. */
void weft__fd_publish(struct fd_use *use, struct loop *loop, uint64_t key);

/* Whether the descriptor is being closed: then what was cancelled gives -EBADF. */
bool weft__fd_is_closing(const struct fd_use *use);

/* Gives the hint for the calls that begin from now on. */
void weft__fd_hint_no_socket(const struct fd_use *use);

/* A failure that came after bytes had been read is for the next reader to hear, of the same thing: a
 * socket tells of a reset only once. Only with the reader's seat. Returns 0 or the failure. */
void weft__fd_defer(struct fd_use *use, int fd, int failure);
int weft__fd_take_deferred(struct fd_use *use, int fd);

/* How many calls on fd have an operation in flight: for tests. */
int weft__fd_in_flight(struct fd_table *table, int fd);

/* Closes. In a task, cancels the calls in progress and waits for their end (suspends); on a plain
 * thread they give -EBUSY. Returns 0; -EBADF, and what close(2) says. */
int weft__fd_close(struct fd_table *table, int fd);

#endif

/*
 * call - one call of a task on a descriptor, from its first attempt to its end.
 *
 * The loops answer in their own ways; here all becomes one meaning: what must wait waits, what was
 * interrupted is tried again, what weft_close ended is -EBADF, what a cancel ended -ECANCELED.
 */
#ifndef WEFT_IO_CALL_H
#define WEFT_IO_CALL_H

#include "core/fd.h"
#include "core/loop.h"

/* Begins a call of the calling task on op->fd, and sets op->use. Returns 0; -EPERM (no task), -EBADF,
 * -EBUSY, -ENOMEM. After 0, weft__call_end. */
int weft__call_begin(struct op *op, enum fd_seat seat, struct fd_use *use);
void weft__call_end(struct op *op);

/* Runs an operation of the calling task until it has a result to give to the caller. Suspends. It may
 * be run again, changed, between begin and end; without them if nobody else knows the descriptor. */
ssize_t weft__call_run(struct op *op);

/* All four in one. */
ssize_t weft__call(struct op *op, enum fd_seat seat);

#endif

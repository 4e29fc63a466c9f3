/*
 * weft/io.h - wait for bytes: streams, files and pipes.
 *
 *     int fd = weft_open("orders.csv", O_RDONLY, 0);
 *     ssize_t n = weft_read_full(fd, buffer, sizeof buffer);
 *     weft_close(fd);
 *
 * Descriptors are the kernel's own, so other libraries can use them too. Every call suspends the
 * task, never its thread. A cancelled call has consumed and written nothing, except where the
 * docstring says otherwise. At most one task reads a stream at a time, and one writes it: a second
 * one gets -EBUSY; reads and writes at an offset may overlap freely. A broken pipe is -EPIPE and
 * never a signal. Buffers are borrowed until the call returns.
 */
#ifndef WEFT_IO_H
#define WEFT_IO_H

#include <fcntl.h>
#include <sys/types.h>

#include <weft/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Opens a file, a device or a named pipe. Close-on-exec is added. A named pipe opens at once: reading
 * then waits for the first writer; opening it to write without a reader is -ENXIO. Named pipes and
 * character devices keep O_NONBLOCK.
 *
 * Returns: a descriptor; -ENOENT, -EACCES, -EMFILE and all else that open(2) says; -ECANCELED.
 * From:    a task (-EPERM elsewhere).
 * Owns:    close it with weft_close.
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK int weft_open(const char *path, int flags, mode_t mode);

/**
 * Reads up to `bytes` bytes, in order: waits until there is at least one.
 *
 * Returns: the number of bytes; 0 at the end; -ECANCELED (nothing was read); -EBUSY (another task
 *          reads it); -EBADF, also when weft_close ends the wait; what read(2) says.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK ssize_t weft_read(int fd, void *buffer, size_t bytes);

/**
 * Writes up to `bytes` bytes, in order: waits until at least one is taken.
 *
 * Returns: the number of bytes taken; -ECANCELED (nothing was written); -EBUSY (another task writes
 *          it); -EPIPE, -ENOSPC, -EBADF and what write(2) says.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK ssize_t weft_write(int fd, const void *buffer, size_t bytes);

/**
 * Reads up to `bytes` bytes of a file from `offset`; the file position stays.
 *
 * Returns: the number of bytes; 0 at the end; -ECANCELED; -EBUSY (a device without anything to read, for
 *          which another task waits); -ESPIPE (a pipe or a socket) and what
 *          else pread(2) says.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point; a read that the kernel has begun completes first.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK ssize_t weft_pread(int fd, void *buffer, size_t bytes, off_t offset);

/**
 * Writes up to `bytes` bytes of a file at `offset`; the file position stays.
 *
 * Returns: the number of bytes; -ECANCELED; -EBUSY (a device without room, for which another task waits);
 *          -ESPIPE (a pipe or a socket); -ENOSPC and what else pwrite(2) says.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point; a write that the kernel has begun completes first.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK ssize_t weft_pwrite(int fd, const void *buffer, size_t bytes,
                                             off_t offset);

/**
 * Reads until `bytes` bytes are there or the stream ends.
 *
 * Returns: the number of bytes, less than asked only at the end; a failure or -ECANCELED only if
 *          nothing had been read: else the number so far, and the failure comes with the next call.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK ssize_t weft_read_full(int fd, void *buffer, size_t bytes);

/**
 * Writes all `bytes` bytes.
 *
 * Returns: `bytes`; a failure or -ECANCELED only if nothing had been written: else the number so
 *          far, and the failure comes with the next call.
 * From:    a task (-EPERM elsewhere).
 * Waits:   yes, cancellation point.
 * Since:   0.1
 */
WEFT_API WEFT_MUST_CHECK ssize_t weft_write_full(int fd, const void *buffer, size_t bytes);

/**
 * Cancels what other tasks wait for on the descriptor (they get -EBADF), waits until the kernel
 * has let go of it, and closes it. Not cancellable: closing always closes.
 *
 * Returns: 0; -EBADF if it is not open or being closed; -EIO and what close(2) says (it is closed
 *          all the same).
 * From:    a task; a job or plain thread only if nothing waits on it (-EBUSY).
 * Waits:   yes, but it is no cancellation point.
 * Since:   0.1
 */
WEFT_API int weft_close(int fd);

#ifdef __cplusplus
}
#endif

#endif

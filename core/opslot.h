/*
 * opslot - names for operations in flight that can never mean a later one.
 *
 * The kernel gets a 64-bit key with each operation and gives it back with its end; a cancel names its
 * target by the same key. A key is generation:32 | slot:32. Slots are reused, but each use has a
 * generation of its own, so an event or a cancel that comes late finds nothing.
 *
 * Invariants  I1  a slot, once made, is there until the loop is destroyed
 *             I2  everything but `used` is read and written under the lock
 *             I3  no key is below 2^32, and none has KEY_FREE_BIT: both are free for other purposes
 */
#ifndef WEFT_CORE_OPSLOT_H
#define WEFT_CORE_OPSLOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "core/lock.h"
#include "core/wait.h"

#define KEY_FREE_BIT UINT64_C(0x80000000)

struct opslot {
    uint32_t generation; /* of the key that is valid, or will be next; never 0 */
    uint32_t next; /* index + 1 in the list of free ones, or of those to cancel; 0: the last */
    bool is_used;
    bool is_to_cancel;       /* in the list of those to cancel, perhaps for longer than is_used */
    uint32_t seq;            /* of the wait, see wait.h */
    struct sleeper *sleeper; /* of the task; NULL until the wait has begun */
    ssize_t *result;         /* on the stack of the task */
};

struct opslots {
    struct lock lock;
    struct opslot **chunks;
    uint32_t chunk_count;
    uint32_t free;         /* index + 1 */
    uint32_t to_cancel;    /* index + 1 */
    _Atomic uint32_t used; /* (a) how many are in flight */
};

/* Takes a slot. Returns 0 and its key, or -ENOMEM. */
int weft__opslot_take(struct opslots *slots, uint64_t *ret_key);

/* The wait for it has begun: whom its end wakes, and where the result goes. */
void weft__opslot_aim(struct opslots *slots, uint64_t key, const struct waiter *waiter,
                      ssize_t *result);

/* The slot of a key, NULL if that operation has ended. Lock held. */
struct opslot *weft__opslot_find(struct opslots *slots, uint64_t key);

/* Gives a slot back; its key is void from here on. Lock held. */
void weft__opslot_give(struct opslots *slots, uint64_t key);

/* Puts a key on the list of those to cancel; nothing if it has ended or is there already. */
void weft__opslot_ask_cancel(struct opslots *slots, uint64_t key);

void weft__opslot_ask_cancel_locked(struct opslots *slots, uint64_t key);

/* Takes a key from that list; 0: it is empty. */
uint64_t weft__opslot_next_cancel(struct opslots *slots);

/* Frees all. Nothing may be in flight. */
void weft__opslots_destroy(struct opslots *slots);

#endif

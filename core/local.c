/*
 * local - see local.h.
 */
#include "core/local.h"

#include <errno.h>
#include <stdint.h>

#include "core/atomic.h"
#include "core/sys.h"
#include "core/task.h"

struct local_value {
    _Atomic uint32_t sharers; /* (a) lists */
    void *value;              /* (i) */
    void (*destroy)(void *);  /* (i) */
};

struct local_entry {
    const weft_local *key;
    struct local_value *value;
};

struct locals {
    _Atomic uint32_t sharers; /* (a) tasks */
    uint32_t count;
    struct local_entry entries[];
};

void weft__locals_share(struct locals *locals) { add_seq(&locals->sharers, 1); }

static void value_release(struct local_value *value)
{
    if (sub_seq(&value->sharers, 1) > 1)
        return;
    if (value->destroy)
        value->destroy(value->value);
    weft__sys_free(value);
}

static void locals_release(struct locals *locals)
{
    if (!locals || sub_seq(&locals->sharers, 1) > 1)
        return;
    for (uint32_t i = 0; i < locals->count; i++)
        value_release(locals->entries[i].value);
    weft__sys_free(locals);
}

void weft__locals_drop(struct task *task)
{
    struct locals *locals;

    while ((locals = task->locals)) { /* a destroy function may set one again */
        task->locals = NULL;
        locals_release(locals);
    }
}

static struct local_entry *find(struct locals *locals, const weft_local *key)
{
    for (uint32_t i = 0; locals && i < locals->count; i++)
        if (locals->entries[i].key == key)
            return &locals->entries[i];
    return NULL;
}

/* The same values, without the key's, and with room for one more. NULL: no memory. */
static struct locals *copy_without(const struct locals *old, const weft_local *key)
{
    uint32_t count = old ? old->count : 0;
    struct locals *locals =
        weft__sys_alloc(sizeof *locals + (count + 1) * sizeof locals->entries[0]);

    if (!locals)
        return NULL;
    store_relaxed(&locals->sharers, 1); /* relaxed: nobody else knows it yet */
    for (uint32_t i = 0; i < count; i++)
        if (old->entries[i].key != key) {
            add_seq(&old->entries[i].value->sharers, 1);
            locals->entries[locals->count++] = old->entries[i];
        }
    return locals;
}

static int put(struct task *task, const weft_local *key, struct local_value *value)
{
    struct locals *old = task->locals;
    struct local_entry *entry = find(old, key);

    if (value && entry && load_seq(&old->sharers) == 1) { /* I1 */
        struct local_value *before = entry->value;

        entry->value = value;
        value_release(before);
        return 0;
    }
    if (!value && !entry)
        return 0;
    struct locals *locals = copy_without(old, key);
    if (!locals)
        return -ENOMEM;
    if (value)
        locals->entries[locals->count++] = (struct local_entry){key, value};
    task->locals = locals;
    locals_release(old);
    return 0;
}

int weft_local_set(weft_local *key, void *value)
{
    struct task *task = weft__current_task();
    struct local_value *box = NULL;
    int rc;

    if (!task)
        return -EPERM;
    if (value) {
        box = weft__sys_alloc(sizeof *box);
        if (!box)
            return -ENOMEM;
        store_relaxed(&box->sharers, 1); /* relaxed: nobody else knows it yet */
        box->value = value;
        box->destroy = key->weft__destroy;
    }
    rc = put(task, key, box);
    if (rc < 0)
        weft__sys_free(box);
    return rc;
}

void *weft_local_get(const weft_local *key)
{
    struct task *task = weft__current_task();
    struct local_entry *entry = task ? find(task->locals, key) : NULL;

    return entry ? entry->value->value : NULL;
}

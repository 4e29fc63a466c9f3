/*
 * ledger_stress_test - a forest of tasks that do everything at random, and a book with a page for each
 * of them: every task began once and ended once, what it said was heard, and every item that went
 * into a queue or a channel came out once.
 *
 *     share     |1 |2 . . . . . . .|9 |10 . .|13|14|15 ...        the book, a page per task
 *                 leaf   tree of 8   leaf  tree   leaves
 *
 * Roots (tasks and plain threads) each work through a share of the book: they spawn batches of tasks,
 * each of which gets one page (a leaf, it does one thing) or several (it works through them in turn).
 * Batches are awaited, gathered or let go, and some of their tasks cancelled. Which task does what
 * follows from the seed alone; who runs when and where does not. A task that is lost, or a wake-up,
 * leaves the test standing still, and the watchdog tells.
 *
 * CHECK_STRESS=long makes twenty million of them.
 */
#include "preemptor.h"
#include "stress.h"

#define TASKS     1000000 /* in all configurations together */
#define ROOTS     24      /* of these, the last THREADS are plain threads */
#define THREADS   2
#define BATCH     8
#define TREE_MOST 48
#define PERMITS   3
#define BOARD     64

/* Each in bits of its own: 1 once, 2 twice, 3 more often. */
enum { BEGAN = 1, ENDED = 4, DROPPED = 16 };
enum { PUT = 1, GOT = 4, SENT = 16, RECEIVED = 64 };

enum way {
    ENDS,
    COMPUTES,
    YIELDS,
    SLEEPS,
    TIMES_OUT,
    PUTS,
    GETS,
    SENDS,
    RECEIVES,
    PERMIT,
    LOCK,
    CANCELS,
    WAYS
};

struct page {
    uint64_t seed;
    uint32_t pages; /* of its tree, this one too */
    int said;
    _Atomic uint8_t life, item;
};

static struct {
    struct page *pages;
    size_t count;
    struct check_latch missing; /* tasks that have not ended */
    weft_sem sem;
    weft_mutex mutex;
    weft_queue queue;
    weft_channel channel;
    long counted; /* under the mutex */
    _Atomic long locked, cancelled;
    _Atomic int inside, too_many, heard_wrong, wrong;
    _Atomic uint64_t board[BOARD]; /* handles, to be cancelled by anybody */
} book;

/* --- what a leaf does ----------------------------------------------------------------------------- */

static uint64_t packed(weft_future future)
{
    return (uint64_t)future.slot << 32 | future.generation;
}

static void cancel_on_board(uint64_t place)
{
    uint64_t handle = atomic_exchange(&book.board[place % BOARD], 0);

    if (handle && weft_cancel((weft_future){(uint32_t)(handle >> 32), (uint32_t)handle}) == 0)
        atomic_fetch_add(&book.cancelled, 1);
}

static enum way way_of(const struct page *page) { return (enum way)(page->seed % WAYS); }

static int naps(void *arg)
{
    const struct page *page = arg;

    return weft_sleep(weft_us((int64_t)(page->seed >> 8 & 63)));
}

static int computes(uint64_t steps)
{
    for (volatile uint64_t i = steps; i > 0;)
        i = i - 1;
    return 0;
}

static void note_item(struct page *page, uint8_t what)
{
    if (page < book.pages || page >= book.pages + book.count)
        atomic_fetch_add(&book.wrong, 1); /* nobody has sent that */
    else
        atomic_fetch_add(&page->item, what);
}

static int puts_itself(struct page *page)
{
    int rc = weft_queue_put(&book.queue, page); /* suspends: worker, errno stale */

    if (rc == 0)
        note_item(page, PUT);
    return rc;
}

static int gets_one(void)
{
    void *item = NULL;
    int rc = weft_queue_get(&book.queue, &item); /* suspends: worker, errno stale */

    if (rc == 1)
        note_item(item, GOT);
    return rc;
}

static int sends_itself(struct page *page)
{
    int rc = weft_send(&book.channel, &page); /* suspends: worker, errno stale */

    if (rc == 0)
        note_item(page, SENT);
    return rc;
}

static int receives_one(void)
{
    struct page *item = NULL;
    int rc = weft_receive(&book.channel, &item); /* suspends: worker, errno stale */

    if (rc == 1)
        note_item(item, RECEIVED);
    return rc;
}

static int takes_a_permit(void)
{
    int rc = weft_sem_acquire(&book.sem); /* suspends: worker, errno stale */

    if (rc < 0)
        return rc;
    if (atomic_fetch_add(&book.inside, 1) >= PERMITS)
        atomic_fetch_add(&book.too_many, 1);
    rc = weft_yield();
    atomic_fetch_sub(&book.inside, 1);
    atomic_fetch_add(&book.wrong, weft_sem_release(&book.sem) != 0);
    return rc;
}

static int takes_the_lock(void)
{
    int rc = weft_lock_cancellable(&book.mutex); /* suspends: worker, errno stale */

    if (rc < 0)
        return rc;
    long before = book.counted;
    rc = weft_yield();
    book.counted = before + 1;
    atomic_fetch_add(&book.locked, 1);
    atomic_fetch_add(&book.wrong, weft_unlock(&book.mutex) != 0);
    return rc;
}

static int yields(uint64_t times)
{
    int rc = 0;

    for (; times > 0 && rc == 0; times--)
        rc = weft_yield();
    return rc;
}

static int does_its_thing(struct page *page)
{
    uint64_t random = page->seed >> 8;

    switch (way_of(page)) {
    case ENDS: return 0;
    case COMPUTES: return computes(random % 4096);
    case YIELDS: return yields(random % 8);
    case SLEEPS: return naps(page);
    case TIMES_OUT: return weft_timeout(weft_us((int64_t)(random >> 8 & 63)), naps, page);
    case PUTS: return puts_itself(page);
    case GETS: return gets_one();
    case SENDS: return sends_itself(page);
    case RECEIVES: return receives_one();
    case PERMIT: return takes_a_permit();
    case LOCK: return takes_the_lock();
    case CANCELS: cancel_on_board(random); return yields(1);
    case WAYS: break;
    }
    return -EPROTO;
}

static bool may_wait_for_ever(const struct page *page)
{
    enum way way = way_of(page);

    return page->pages == 1 && (way == PUTS || way == GETS || way == SENDS || way == RECEIVES);
}

/* --- the forest -------------------------------------------------------------------------------------- */

static void work_through(struct page *next, struct page *end, uint64_t seed);

static int lives(void *arg)
{
    struct page *page = arg;

    atomic_fetch_add(&page->life, BEGAN);
    int rc = page->pages == 1 ? does_its_thing(page) : 0;
    if (page->pages > 1)
        work_through(page + 1, page + page->pages, page->seed);
    if (rc < 0 && rc != -ECANCELED && rc != -ETIMEDOUT)
        atomic_fetch_add(&book.wrong, 1);
    page->said = rc < 0 ? rc : (int)(page->seed >> 48 & 1023);
    rc = page->said; /* when it has ended its page may be read */
    if (atomic_fetch_add(&page->life, ENDED) == BEGAN && (page->seed >> 20) % 512 == 0)
        check_progress();
    check_arrive(&book.missing);
    return rc;
}

static void is_dropped(void *arg)
{
    struct page *page = arg;

    atomic_fetch_add(&page->life, DROPPED);
    check_arrive(&book.missing);
}

/* Who is cancelled itself hears that instead. */
static void hear(const struct page *page, int heard)
{
    if (heard != page->said && !(heard == -ECANCELED && weft_cancelled()))
        atomic_fetch_add(&book.heard_wrong, 1);
}

static void await_all(struct page **tasks, weft_future *futures, size_t n, uint64_t random)
{
    int statuses[BATCH];

    if (random % 2) {
        for (size_t i = n; i > 0; i--)
            hear(tasks[i - 1], weft_await(futures[i - 1]));
        return;
    }
    (void)!weft_gather_settled_n(futures, n, statuses); /* -ECANCELED: they are told all the same */
    for (size_t i = 0; i < n; i++)
        hear(tasks[i], statuses[i]);
}

static void let_all_go(weft_future *futures, size_t n)
{
    for (size_t i = 0; i < n; i++)
        atomic_fetch_add(&book.wrong, weft_detach(futures[i]) != 0);
}

static void cancel_some(struct page **tasks, weft_future *futures, size_t n, uint64_t random)
{
    if (random & 1 && weft_cancel(futures[random % n]) == 0)
        atomic_fetch_add(&book.cancelled, 1);
    for (size_t i = 0; i < n; i++)
        if (may_wait_for_ever(tasks[i])) /* nobody may be there to wake it */
            (void)weft_cancel(futures[i]);
}

/* Spawns up to BATCH tasks with their trees, and sees to them. Returns the next free page. */
static struct page *one_batch(struct page *next, const struct page *end, uint64_t *seed)
{
    static const weft_task_options options = {.site = "a task of the forest", .drop = is_dropped};
    struct page *tasks[BATCH];
    weft_future futures[BATCH];
    uint64_t random = check_random(seed);
    size_t n = 0;

    for (; n <= (random & (BATCH - 1)) && next < end; next += tasks[n++]->pages) {
        uint32_t left = (uint32_t)(end - next);

        next->seed = check_random(seed);
        next->pages = next->seed >> 40 & 3 ? 1 : 1 + (uint32_t)(next->seed >> 42) % TREE_MOST;
        next->pages = next->pages < left ? next->pages : left;
        tasks[n] = next;
        futures[n] = weft_spawn_with(&options, lives, next);
        atomic_store(&book.board[next->seed >> 32 & (BOARD - 1)], packed(futures[n]));
    }
    for (uint64_t pauses = random >> 8 & 3; pauses > 0; pauses--)
        stress_pause();
    cancel_some(tasks, futures, n, random >> 16);
    if (random >> 24 & 3)
        await_all(tasks, futures, n, random >> 32);
    else
        let_all_go(futures, n);
    return next;
}

static void work_through(struct page *next, struct page *end, uint64_t seed)
{
    while (next < end)
        next = one_batch(next, end, &seed);
}

struct share {
    struct page *first, *end;
    uint64_t seed;
};

static int is_a_root(void *arg)
{
    struct share *share = arg;

    work_through(share->first, share->end, share->seed);
    return 0;
}

static void *is_a_root_outside(void *arg)
{
    (void)is_a_root(arg); /* 0 */
    return NULL;
}

/* --- opening and closing the book ----------------------------------------------------------------- */

static void open_book(size_t count)
{
    memset(&book, 0, sizeof book);
    book.count = count;
    book.pages = calloc(count, sizeof *book.pages);
    check_latch_init(&book.missing, (uint32_t)count);
    book.sem = (weft_sem)WEFT_SEM_INIT(PERMITS);
    book.mutex = (weft_mutex)WEFT_MUTEX_INIT;
    assert_non_null(book.pages);
    assert_int_equal(weft_queue_init(&book.queue, 4), 0);
    assert_int_equal(weft_channel_init(&book.channel, sizeof(struct page *), 1), 0);
}

/* Runs the whole forest. Returns the first error. */
static int grow_forest(int workers, uint64_t seed)
{
    struct share shares[ROOTS];
    weft_future futures[ROOTS - THREADS];
    pthread_t threads[THREADS];
    int rc = weft_start(&(weft_options){.workers = workers}), failed = 0;

    for (size_t i = 0; i < ROOTS && rc == 0; i++) {
        shares[i] = (struct share){book.pages + book.count * i / ROOTS,
                                   book.pages + book.count * (i + 1) / ROOTS, check_random(&seed)};
        if (i < ROOTS - THREADS)
            futures[i] = weft_spawn(is_a_root, &shares[i]);
        else
            rc = -pthread_create(&threads[i - (ROOTS - THREADS)], NULL, is_a_root_outside,
                                 &shares[i]);
    }
    if (rc < 0)
        return rc;
    for (int i = 0; i < THREADS; i++)
        failed |= pthread_join(threads[i], NULL);
    failed |= weft_gather_n(futures, ROOTS - THREADS, NULL);
    failed |= weft_event_wait(&book.missing.open); /* those that were let go */
    return weft_stop() | failed;
}

static void drain(void)
{
    struct page *item;
    void *put;

    while (weft_queue_try_get(&book.queue, &put) == 1)
        note_item(put, GOT);
    while (weft_try_receive(&book.channel, &item) == 1)
        note_item(item, RECEIVED);
}

/* Returns how many pages are wrong; the first ones are shown. */
static int read_book(int workers)
{
    int wrong = 0;
    long dropped = 0, put = 0, sent = 0;

    for (size_t i = 0; i < book.count; i++) {
        int life = book.pages[i].life, item = book.pages[i].item;

        dropped += life == DROPPED;
        put += item == (PUT | GOT);
        sent += item == (SENT | RECEIVED);
        if ((life == (BEGAN | ENDED) || life == DROPPED) &&
            (item == 0 || item == (PUT | GOT) || item == (SENT | RECEIVED)))
            continue;
        if (wrong++ < 10)
            print_error("page %zu, way %d: life %#x, item %#x\n", i, (int)way_of(&book.pages[i]),
                        (unsigned)life, (unsigned)item);
    }
    print_message("%d workers: %zu tasks, %ld dropped, %ld cancels, %ld put, %ld sent\n", workers,
                  book.count, dropped, book.cancelled, put, sent);
    return wrong;
}

static void a_forest_balances(int workers, uint64_t seed, size_t count)
{
    int permits = 0;

    open_book(count);
    int rc = grow_forest(workers, seed);
    drain();
    while (weft_sem_try_acquire(&book.sem) == 0)
        permits++;
    int wrong = read_book(workers);
    weft_queue_destroy(&book.queue);
    weft_channel_destroy(&book.channel);
    free(book.pages);

    assert_int_equal(rc, 0);
    assert_int_equal(wrong, 0);
    assert_int_equal(book.wrong, 0);
    assert_int_equal(book.heard_wrong, 0);
    assert_int_equal(book.too_many, 0);
    assert_int_equal(permits, PERMITS);
    assert_int_equal(book.counted, book.locked);
}

static void forests_balance(uint64_t seed, int tasks)
{
    CHECK_WORKERS(n) {
        a_forest_balances(n, seed, (size_t)stress_rounds(tasks / 4));
    }
}

static void every_task_of_a_forest_ends_once_and_every_item_comes_out_once(void **state)
{
    (void)state;
    forests_balance(check_seed(), TASKS);
}

static void and_so_it_is_when_every_wait_moves_them(void **state)
{
    const char *old = getenv("WEFT_DEBUG");
    char *kept = old ? strdup(old) : NULL;

    (void)state;
    assert_int_equal(setenv("WEFT_DEBUG", "migrate", 1), 0);
    forests_balance(check_seed(), TASKS);
    if (kept)
        assert_int_equal(setenv("WEFT_DEBUG", kept, 1), 0);
    else
        assert_int_equal(unsetenv("WEFT_DEBUG"), 0);
    free(kept);
}

static void and_when_threads_stand_still_at_any_instruction(void **state)
{
    uint64_t seed = check_seed();

    (void)state;
    if (!preemptor_start(seed))
        skip();
    forests_balance(seed, 2 * TASKS);
    long stops = preemptor_stop();

    print_message("measured: threads stood still %ld times\n", stops);
    assert_true(stops > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_task_of_a_forest_ends_once_and_every_item_comes_out_once),
        cmocka_unit_test(and_so_it_is_when_every_wait_moves_them),
        cmocka_unit_test(and_when_threads_stand_still_at_any_instruction),
    };

    return CHECK_GROUP(tests);
}

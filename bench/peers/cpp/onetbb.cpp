/*
 * onetbb - the works of bench/run with oneTBB's tasks and arenas.
 */
#include <atomic>
#include <future>
#include <memory>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <thread>
#include <vector>

#include "bench/peers/c/program.h"

namespace
{

constexpr long flight = 1000;
constexpr int64_t rest_ns = 2000000, give_up_ns = 5000000;

/* Runs fn in an arena of so many threads, the calling one included. */
template <typename F> void with_workers(int workers, F fn)
{
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                              static_cast<std::size_t>(workers));
    tbb::task_arena arena(workers);
    arena.execute(fn);
}

void spawn_join(run *run)
{
    static std::vector<unsigned char> ones; // kept from the round that warms up
    ones.assign(static_cast<std::size_t>(run->size), 0);
    with_workers(run->workers, [&] {
        tbb::task_group group;
        for (auto &one : ones)
            group.run([&one] { one = 1; });
        group.wait();
    });
    for (auto one : ones)
        run->result += one;
}

void spawn_await(run *run)
{
    with_workers(run->workers, [&] {
        tbb::task_group group;
        for (long i = 0; i < run->size; i++) {
            group.run([&] { run->result++; });
            group.wait();
        }
    });
}

long long grow(long long first, long long leaves)
{
    if (leaves == 1)
        return first;
    long long sums[10], sum = 0;
    tbb::task_group group;
    for (int i = 0; i < 10; i++)
        group.run([&, i] { sums[i] = grow(first + i * leaves / 10, leaves / 10); });
    group.wait();
    for (auto part : sums)
        sum += part;
    return sum;
}

void skynet(run *run)
{
    with_workers(run->workers, [&] { run->result = grow(0, run->size); });
}

void steal_latency(run *run)
{
    std::vector<int64_t> spans(static_cast<std::size_t>(run->size));
    with_workers(run->workers, [&] {
        std::atomic<int64_t> begun_ns;
        tbb::task_group group;
        for (auto &span : spans) {
            pause_ns(rest_ns);
            begun_ns = 0;
            int64_t start = now_ns();
            group.run([&] { begun_ns = now_ns(); });
            while (begun_ns == 0 && now_ns() - start < give_up_ns)
                ;
            group.wait();
            span = begun_ns - start;
        }
    });
    run->result = run->size;
    say_spans(spans.data(), run->size);
}

/* The pool is an arena without a place for the caller, who waits on a future. */
void offload_by(run *run, long jobs)
{
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism,
                              static_cast<std::size_t>(run->workers) + 1);
    tbb::task_arena arena(run->workers, 0);
    for (long done = 0; done + jobs <= run->size; done += jobs) {
        std::atomic<long> awaited{jobs};
        std::promise<void> all;
        for (long i = 0; i < jobs; i++)
            arena.enqueue([&] {
                if (--awaited == 0)
                    all.set_value();
            });
        all.get_future().wait();
        run->result += jobs - awaited;
    }
}

void offload_roundtrip(run *run) { offload_by(run, 1); }
void offload_1000(run *run) { offload_by(run, flight); }

const work works[] = {
    {"spawn_join", spawn_join, 1},
    {"spawn_await", spawn_await, 1},
    {"skynet", skynet, 1},
    {"steal_latency", steal_latency, 0},
    {"offload_roundtrip", offload_roundtrip, 1},
    {"offload_1000", offload_1000, 1},
};

} // namespace

int main(int argc, char **argv) { return RUN_WORK(works, argc, argv); }

/*
 * boost_fiber - the works of bench/run with Boost.Fiber.
 *
 * One worker uses its round robin, several its work stealing. Fibers that end soon start at once
 * (launch::dispatch), since the next one then gets their stack while it is warm.
 */
#include <boost/fiber/algo/work_stealing.hpp>
#include <boost/fiber/all.hpp>
#include <memory>
#include <thread>
#include <vector>

#include "bench/peers/c/program.h"

namespace
{

namespace fibers = boost::fibers;

constexpr int turners = 100, producers = 8, many_room = 128, lockers = 8, hold_every = 100;
constexpr std::size_t stack_bytes = 16 * 1024;

/* Helps until the program ends. */
void serve(unsigned workers)
{
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(workers);
    fibers::mutex mutex;
    fibers::condition_variable never;
    std::unique_lock<fibers::mutex> lock(mutex);
    for (;;)
        never.wait(lock);
}

/* Once: the algorithm cannot be set up again. */
void set_up(int workers)
{
    static bool is_set_up = false;

    if (is_set_up || workers == 1)
        return;
    is_set_up = true;
    for (int i = 1; i < workers; i++)
        std::thread(serve, static_cast<unsigned>(workers)).detach();
    fibers::use_scheduling_algorithm<fibers::algo::work_stealing>(static_cast<unsigned>(workers));
}

/* The pool of stacks is for one thread alone. */
template <typename F> auto start(fibers::launch how, int workers, F fn)
{
    static fibers::pooled_fixedsize_stack pool(stack_bytes);

    if (workers == 1)
        return fibers::async(how, std::allocator_arg, pool, fn);
    return fibers::async(how, std::allocator_arg, fibers::fixedsize_stack(stack_bytes), fn);
}

void spawn_join(run *run)
{
    static std::vector<fibers::future<int>> futures; // kept from the round that warms up

    set_up(run->workers);
    futures.reserve(static_cast<std::size_t>(run->size));
    for (long i = 0; i < run->size; i++)
        futures.push_back(start(fibers::launch::dispatch, run->workers, [] { return 1; }));
    for (auto &future : futures)
        run->result += future.get();
    futures.clear();
}

void spawn_await(run *run)
{
    for (long i = 0; i < run->size; i++)
        run->result += start(fibers::launch::dispatch, 1, [] { return 1; }).get();
}

void yield(run *run)
{
    std::vector<fibers::future<void>> futures;
    long turns = run->size / turners;

    for (int i = 0; i < turners; i++)
        futures.push_back(start(fibers::launch::post, 1, [turns] {
            for (long turn = 0; turn < turns; turn++)
                boost::this_fiber::yield();
        }));
    for (auto &future : futures)
        future.get();
    run->result = turns * turners;
}

long long grow(int workers, long long first, long long leaves)
{
    if (leaves == 1)
        return first;
    std::vector<fibers::future<long long>> children;
    children.reserve(10);
    for (int i = 0; i < 10; i++)
        children.push_back(start(fibers::launch::dispatch, workers, [=] {
            return grow(workers, first + i * leaves / 10, leaves / 10);
        }));
    long long sum = 0;
    for (auto &child : children)
        sum += child.get();
    return sum;
}

void skynet(run *run)
{
    set_up(run->workers);
    run->result = grow(run->workers, 0, run->size);
}

void channel_roundtrip(run *run)
{
    fibers::unbuffered_channel<long> there, back;
    long item = 0;

    auto other = start(fibers::launch::post, 1, [&] {
        for (long got; there.pop(got) == fibers::channel_op_status::success;)
            back.push(got + 1);
    });
    for (long i = 0; i < run->size; i++) {
        there.push(item);
        back.pop(item);
    }
    there.close();
    other.get();
    run->result = item;
}

void channel_many(run *run)
{
    fibers::buffered_channel<long> channel(many_room);
    std::vector<fibers::future<void>> makers;
    std::vector<fibers::future<long long>> takers;
    long each = run->size / producers;

    set_up(run->workers);
    for (int i = 0; i < producers; i++) {
        makers.push_back(start(fibers::launch::post, run->workers, [&channel, i, each] {
            for (long item = i * each; item < (i + 1) * each; item++)
                channel.push(item);
        }));
        takers.push_back(start(fibers::launch::post, run->workers, [&channel] {
            long long sum = 0;
            for (long item; channel.pop(item) == fibers::channel_op_status::success;)
                sum += item;
            return sum;
        }));
    }
    for (auto &maker : makers)
        maker.get();
    channel.close();
    for (auto &taker : takers)
        run->result += taker.get();
}

void mutex_contended(run *run)
{
    fibers::mutex mutex;
    std::vector<fibers::future<void>> all;
    long long value = 0;
    long each = run->size / lockers;

    set_up(run->workers);
    for (int i = 0; i < lockers; i++)
        all.push_back(start(fibers::launch::post, run->workers, [&] {
            for (long turn = 0; turn < each; turn++) {
                std::lock_guard<fibers::mutex> lock(mutex);
                value++;
                if (turn % hold_every == 0)
                    boost::this_fiber::yield();
            }
        }));
    for (auto &locker : all)
        locker.get();
    run->result = value;
}

/* With one worker, whatever there are: its channels are many times slower between threads. */
void prime_sieve(run *run)
{
    using channel = fibers::unbuffered_channel<long>;
    std::vector<std::unique_ptr<channel>> channels;
    std::vector<fibers::future<void>> all;
    long prime = 0;

    channels.push_back(std::make_unique<channel>());
    all.push_back(start(fibers::launch::post, 1, [out = channels[0].get()] {
        for (long n = 2; out->push(n) == fibers::channel_op_status::success; n++)
            ;
    }));
    for (long i = 0; i < run->size; i++) {
        channel *in = channels.back().get();
        in->pop(prime);
        channels.push_back(std::make_unique<channel>());
        all.push_back(start(fibers::launch::post, 1, [in, out = channels.back().get(), prime] {
            for (long n; in->pop(n) == fibers::channel_op_status::success;)
                if (n % prime != 0 && out->push(n) != fibers::channel_op_status::success)
                    break;
            in->close();
        }));
    }
    channels.back()->close();
    for (auto &one : all)
        one.get();
    run->result = prime;
}

const work works[] = {
    {"spawn_join", spawn_join, 1},
    {"spawn_await", spawn_await, 1},
    {"yield", yield, 1},
    {"skynet", skynet, 1},
    {"channel_roundtrip", channel_roundtrip, 1},
    {"channel_many", channel_many, 1},
    {"mutex_contended", mutex_contended, 1},
    {"prime_sieve", prime_sieve, 1},
};

} // namespace

int main(int argc, char **argv)
{
    int status = RUN_WORK(works, argc, argv);

    fflush(stdout);
    _exit(status); // those who help have no way to end
}

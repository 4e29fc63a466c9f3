"""works - what bench/run measures: each work's name, its sizes, who does it, and what comes out.

A program prints keys and values (bench/bench.h); a Metric turns one of them into a figure. A work
that is done with one worker and with all has a variant for each.
"""
from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    name: str  # behind the work's name; "" if it is the only one
    key: str  # what the program prints
    unit: str
    scale: float = 1.0  # printed value * scale = value in this unit
    per_item: bool = False  # then divided by the size of the work
    more_is_better: bool = False
    has_ratio: bool = True  # False: for information, takes no part in the table of ratios


@dataclass(frozen=True)
class Work:
    name: str
    about: str
    systems: str  # ~name: shown, but no peer here: see ASIDE
    full: int  # size
    quick: int
    metrics: tuple
    expect: object  # size -> the right result
    workers: tuple = (("", 0),)  # name of the variant and number of workers; 0: one for each core
    kind: str = "program"  # or "idle", "echo", "mixed": see measure.py
    rounds: int = 5
    quick_rounds: int = 5
    rate: int = 0  # requests a second
    seconds: tuple = (0, 0)  # measured time, full and quick
    bytes_each: int = 0  # memory that an item may take: a small machine gets fewer

    def names(self):
        return [name.lstrip("~") for name in self.systems.split()]

    def counts(self, name):
        return "~" + name not in self.systems.split()


# Why some are marked with ~.
ASIDE = ("its tasks cannot wait, its idle workers do not sleep, or its jobs do not leave the "
         "workers' threads")
ONE = (("", 1),)
ONE_AND_ALL = (("1", 1), ("all", 0))
NS_EACH = (Metric("", "ns", "ns", per_item=True),)
NS = 1e-3  # from ns to us


P50_AND_P99 = (Metric("p50", "p50_ns", "us", scale=NS), Metric("p99", "p99_ns", "us", scale=NS))
MIXED = (Metric("idle_p99", "idle_p99_ns", "us", scale=NS),
         Metric("p50", "p50_ns", "us", scale=NS), Metric("p99", "p99_ns", "us", scale=NS),
         Metric("p99.9", "p999_ns", "us", scale=NS),
         Metric("jobs", "jobs_per_s", "per_s", more_is_better=True))


def same(size):
    return size


def sum_below(size):
    return size * (size - 1) // 2


def nth_prime(size):
    primes, candidate = [], 2
    while len(primes) < size:
        if all(candidate % prime for prime in primes if prime * prime <= candidate):
            primes.append(candidate)
        candidate += 1
    return primes[-1]


def none_wrong(_size):
    return 0


WORKS = [
    Work("spawn_join", "start tasks, then await them all; per task",
         "weft go tokio boost_fiber ~onetbb ~openmp", 1_000_000, 200_000, NS_EACH, same,
         ONE_AND_ALL),
    Work("spawn_await", "start one task and await it, on one worker; per task",
         "weft go tokio boost_fiber ~onetbb ~openmp", 200_000, 50_000, NS_EACH, same, ONE),
    Work("yield", "100 tasks take turns on one worker; per switch",
         "weft go tokio boost_fiber pthread", 1_000_000, 200_000, NS_EACH, same, ONE),
    Work("channel_roundtrip", "a number to another task and back, on one worker; per round trip",
         "weft go tokio boost_fiber pthread", 300_000, 100_000, NS_EACH, same, ONE),
    Work("channel_many", "8 tasks send numbers through one channel to 8 others; per number",
         "weft go tokio boost_fiber pthread", 1_000_000, 200_000, NS_EACH, sum_below),
    Work("skynet", "a tree of tasks with a million leaves sums their numbers",
         "weft go tokio boost_fiber ~onetbb ~openmp", 1_000_000, 100_000,
         (Metric("", "ns", "ms", scale=1e-6),), sum_below),
    Work("mutex_contended", "8 tasks count under one mutex; per lock and unlock",
         "weft go tokio boost_fiber pthread", 2_000_000, 400_000, NS_EACH, same),
    Work("timer_churn", "1000 tasks set time limits that never come; per timer set and cancelled",
         "weft go tokio libuv", 1_000_000, 200_000, NS_EACH, same, ONE),
    Work("sleepers_1m", "tasks that sleep: what each holds, and the mappings of the process",
         "weft go tokio", 1_000_000, 100_000,
         (Metric("resident", "bytes_each", "B"),
          Metric("mappings", "mappings", "maps", has_ratio=False)),
         same, bytes_each=6000),
    Work("steal_latency", "a busy task starts another one: until an idle worker has begun it",
         "weft go tokio onetbb ~openmp", 500, 150, P50_AND_P99, same),
    Work("wake_latency", "a foreign thread wakes a task whose workers sleep: until it goes on",
         "weft go tokio libuv pthread epoll", 500, 150, P50_AND_P99, same),
    Work("idle", "50 timers and 50 connections on which nothing comes: system calls and CPU time",
         "weft go tokio libuv epoll", 50, 50,
         (Metric("calls", "calls", "calls"), Metric("cpu", "cpu_ns", "us", scale=NS)), same,
         kind="idle", seconds=(10, 1)),
    Work("offload_roundtrip", "one trivial job to the pool, awaited; per job",
         "weft go ~go_goroutine tokio tokio_rayon onetbb libuv pthread", 50_000, 10_000,
         (Metric("", "ns", "us", scale=NS, per_item=True),), same),
    Work("offload_1000", "1000 trivial jobs to the pool, all awaited; per job",
         "weft go ~go_goroutine tokio tokio_rayon onetbb libuv pthread", 500_000, 50_000, NS_EACH,
         same),
    Work("prime_sieve", "a chain of tasks and channels, one for each prime: the time to the last",
         "weft go tokio boost_fiber", 2000, 500, (Metric("", "ns", "ms", scale=1e-6),), nth_prime),
    Work("echo_closed", "an echo server, 50 connections, each with one message under way",
         "weft go tokio libuv epoll", 0, 0,
         (Metric("", "per_s", "per_s", more_is_better=True),
          Metric("p99", "p99_ns", "us", scale=NS)), none_wrong, kind="echo", seconds=(2, 0.6)),
    *(Work(f"mixed_{rate // 1000}k",
           f"an echo server with {rate} messages a second, while its pool computes 10 ms jobs",
           "weft go tokio libuv epoll epoll_nice19", 0, 0, MIXED, none_wrong, kind="mixed",
           rounds=9, rate=rate, seconds=(2, 0.6)) for rate in (5_000, 10_000, 20_000)),
]

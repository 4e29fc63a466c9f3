"""works - what bench/run measures: each work's name, its sizes, who does it, and what comes out.

A program prints keys and values (bench/bench.h); a Metric turns one of them into a figure. A work that
is done with one worker and with all has a Variant for each.
"""
from dataclasses import dataclass, field


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
    systems: str
    full: int  # size
    quick: int
    metrics: tuple
    expect: object  # size -> the right result
    workers: tuple = (("", 0),)  # name of the variant and number of workers; 0: one for each core
    kind: str = "program"  # or "idle", "echo", "mixed": see measure.py
    rounds: int = 5
    quick_rounds: int = 5
    rate: int = 0  # requests a second
    seconds: tuple = field(default=(0, 0))  # measured time, full and quick


ONE = (("", 1),)
ONE_AND_ALL = (("1", 1), ("all", 0))
NS_EACH = (Metric("", "ns", "ns", per_item=True),)
NS = 1e-3  # from ns to us


def same(size):
    return size


def sum_below(size):
    return size * (size - 1) // 2


WORKS = [
    Work("spawn_join", "start tasks, then await them all; per task",
         "weft go tokio", 1_000_000, 200_000, NS_EACH, same, ONE_AND_ALL),
    Work("spawn_await", "start one task and await it; per task",
         "weft go tokio", 1_000_000, 200_000, NS_EACH, same, ONE),
    Work("yield", "100 tasks take turns on one worker; per switch",
         "weft go tokio", 5_000_000, 1_000_000, NS_EACH, same, ONE),
    Work("channel_roundtrip", "a number to another task and back, on one worker; per round trip",
         "weft go tokio", 1_000_000, 200_000, NS_EACH, same, ONE),
    Work("skynet", "a tree of tasks with a million leaves sums their numbers",
         "weft go tokio", 1_000_000, 1_000_000,
         (Metric("", "ns", "ms", scale=1e-6),), sum_below),
]

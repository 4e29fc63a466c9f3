"""measure - lets the systems take turns, round after round, and keeps their figures."""
import os
import resource
import sys
import time

from programs import KINDS, Broken
from systems import SYSTEMS, Failure


def check(work, size, found):
    expected = work.expect(size)
    if expected is not None and found.get("result") != expected:
        raise Broken(f"its result is {found.get('result')}, not {expected}")


class Busy:
    """How much of the processors' time went to other programs, and to other guests of the host."""

    def __init__(self):
        self.begin = self.read()

    @staticmethod
    def read():
        """Seconds of all processors: passed, busy, taken by the host, used by our own programs."""
        with open("/proc/stat", encoding="ascii") as file:
            ticks = [int(word) for word in file.readline().split()[1:9]]
        own = resource.getrusage(resource.RUSAGE_CHILDREN)
        second = os.sysconf("SC_CLK_TCK")
        busy = sum(ticks) - ticks[3] - ticks[4] - ticks[7]  # not idle, waiting or taken
        return [sum(ticks) / second, busy / second, ticks[7] / second, own.ru_utime + own.ru_stime]

    def words(self):
        passed, busy, taken, own = (now - then for now, then in zip(self.read(), self.begin))
        return (f"Meanwhile other programs used {max(0, busy - own) / passed:.0%} of the "
                f"processors, and the host took {taken / passed:.0%} away.")


class Row:
    """One figure of one system: a value for each round."""

    def __init__(self, work, variant, system, metric):
        self.name = "/".join(part for part in (work.name, variant, metric.name) if part)
        self.system = system
        self.counts = work.counts(system)
        self.metric = metric
        self.values = []

    def median(self):
        values = sorted(self.values)
        middle = len(values) // 2
        return values[middle] if len(values) % 2 else (values[middle - 1] + values[middle]) / 2


class Progress:
    """A line on stderr: on a terminal it is written over, else one for each work."""

    def __init__(self):
        self.is_live = sys.stderr.isatty()

    def show(self, words):
        if self.is_live:
            print(f"\r\033[K{words}", end="", file=sys.stderr, flush=True)

    def tell(self, words):
        clear = "\r\033[K" if self.is_live else ""
        print(f"{clear}{words}", file=sys.stderr, flush=True)


def one_round(work, system, workers, size, seconds, rows, variant):
    found = KINDS[work.kind](work, system, workers, size, seconds)
    check(work, size, found)
    for metric in work.metrics:
        if metric.key in found:
            value = found[metric.key] * metric.scale / (size if metric.per_item else 1)
            rows.setdefault((metric.name, system.name),
                            Row(work, variant, system.name, metric))
            rows[metric.name, system.name].values.append(value)


def free_bytes():
    with open("/proc/meminfo", encoding="ascii") as file:
        found = dict(text.split(":") for text in file)
    return int(found["MemAvailable"].split()[0]) * 1024


def size_of(work, plan, progress):
    """The work's size; less if the machine has no memory for it."""
    size = work.quick if plan.quick else work.full
    room = free_bytes() * 3 // 4
    if size * work.bytes_each <= room:
        return size
    progress.tell(f"bench/run: {work.name} is done with {room // work.bytes_each} of {size}: there "
                  "is no memory for more")
    return room // work.bytes_each


def measure(work, systems, plan, progress):
    """All variants of a work, the systems by turns. Gives the rows, and who failed and why."""
    done, broken = [], []
    begin = time.monotonic()
    size = size_of(work, plan, progress)
    seconds = work.seconds[1 if plan.quick else 0]
    cores = len(os.sched_getaffinity(0))
    rounds = plan.rounds or (work.quick_rounds if plan.quick else work.rounds)
    for variant, workers in work.workers:
        rows, out = {}, set()
        for index in range(rounds):
            for place in range(len(systems)):
                system = SYSTEMS[systems[(index + place) % len(systems)]]
                if system.name in out:
                    continue
                name = "/".join(part for part in (work.name, variant) if part)
                progress.show(f"{name}: round {index + 1} of {rounds}, {system.name}")
                try:
                    one_round(work, system, workers or cores, size, seconds, rows, variant)
                except Broken as why:
                    out.add(system.name)
                    broken.append(f"{name}: {system.name}: {why}")
                    progress.tell(f"bench/run: {broken[-1]}")
                except OSError as why:
                    raise Failure(f"{system.program}: {why.strerror}") from why
        done += [rows[metric.name, name] for metric in work.metrics for name in systems
                 if (metric.name, name) in rows and name not in out]
    progress.tell(f"bench/run: {work.name} took {time.monotonic() - begin:.0f} s")
    return done, broken

"""measure - runs programs, round by round and system by system, and keeps what they print."""
import os
import signal
import subprocess
import sys

from systems import SYSTEMS, Failure

TIME_LIMIT_S = 300
running = set()


class Broken(Exception):
    """A program ended badly, or its result was wrong."""


def start(command, environment, **options):
    program = subprocess.Popen(command, env={**os.environ, **environment}, text=True,
                               stderr=subprocess.PIPE, start_new_session=True, **options)
    running.add(program)
    return program


def stop(program):
    """Ends it and all that it started, if it still runs."""
    if program.poll() is None:
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.wait()
    for pipe in (program.stdin, program.stdout, program.stderr):
        if pipe:
            pipe.close()
    running.discard(program)


def stop_all():
    for program in list(running):
        stop(program)


def figures(text):
    """The keys and values that a program printed."""
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition(" ")
        found[key] = float(value)
    return found


def finish(program, limit=TIME_LIMIT_S):
    """Waits for its end; what it printed."""
    try:
        out, words = program.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        stop(program)
        raise Broken(f"it did not end within {limit} s") from None
    running.discard(program)
    if program.returncode != 0:
        how = (f"was killed by signal {-program.returncode}" if program.returncode < 0
               else f"ended with status {program.returncode}")
        last = words.strip().splitlines()[-1:] or ["it said nothing"]
        raise Broken(f"it {how}: {last[0]}")
    return figures(out)


def run_program(work, system, workers, size, _):
    program = start([system.program, work.name, str(workers), str(size)], system.environment,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return finish(program)


KINDS = {"program": run_program}


def set_up(_works):
    """Looks what this machine allows; gives remarks for the report."""
    return []


def check(work, size, found):
    expected = work.expect(size)
    if expected is not None and found.get("result") != expected:
        raise Broken(f"its result is {found.get('result')}, not {expected}")


class Row:
    """One figure of one system: a value for each round."""

    def __init__(self, name, system, metric):
        self.name = name
        self.system = system
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


def names_of(work, variant, metric):
    return "/".join(part for part in (work.name, variant, metric.name) if part)


def one_round(work, system, workers, size, seconds, rows, variant):
    found = KINDS[work.kind](work, system, workers, size, seconds)
    check(work, size, found)
    for metric in work.metrics:
        if metric.key in found:
            value = found[metric.key] * metric.scale / (size if metric.per_item else 1)
            rows.setdefault((metric.name, system.name),
                            Row(names_of(work, variant, metric), system.name, metric))
            rows[metric.name, system.name].values.append(value)


def measure(work, systems, plan, progress):
    """All variants of a work, the systems by turns. Gives the rows, and who failed and why."""
    done, broken = [], []
    size = work.quick if plan.quick else work.full
    seconds = work.seconds[1 if plan.quick else 0]
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
                    one_round(work, system, workers or os.cpu_count(), size, seconds, rows, variant)
                except Broken as why:
                    out.add(system.name)
                    broken.append(f"{name}: {system.name}: {why}")
                    progress.tell(f"bench/run: {broken[-1]}")
                except OSError as why:
                    raise Failure(f"{system.program}: {why.strerror}") from why
        done += [rows[metric.name, name] for metric in work.metrics for name in systems
                 if (metric.name, name) in rows and name not in out]
    return done, broken

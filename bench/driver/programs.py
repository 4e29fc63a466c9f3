"""programs - starts the programs of a work, hears what they print, and ends them all."""
import contextlib
import glob
import os
import select
import signal
import subprocess
import time

from systems import LOAD, OUT

TIME_LIMIT_S = 300
running = set()


class Broken(Exception):
    """A program ended badly, or its result was wrong."""


def start(command, environment, **options):
    """In a group of its own, to be ended whole, but in our session: the kernel shares the processors
    out by sessions, so that niceness counts within one only."""
    program = subprocess.Popen(command, env={**os.environ, **environment}, text=True,
                               stderr=subprocess.PIPE, process_group=0, **options)
    running.add(program)
    return program


def stop(program, keep_words=False):
    """Ends it and all that it started, if it still runs."""
    if program.poll() is None:
        try:
            os.killpg(program.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        program.wait()
    for pipe in (program.stdin, program.stdout, None if keep_words else program.stderr):
        if pipe:
            with contextlib.suppress(BrokenPipeError):
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
        try:
            found[key] = float(value)
        except ValueError:
            raise Broken(f"it printed: {line}") from None
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


def words_of(program):
    """The last line that it wrote to its standard error."""
    stop(program, keep_words=True)
    lines = program.stderr.read().strip().splitlines()
    program.stderr.close()
    return lines[-1] if lines else "it said nothing"


def hear(program, key):
    """Waits until the program has printed this key; its value."""
    ready, _, _ = select.select([program.stdout], [], [], TIME_LIMIT_S)
    line = program.stdout.readline() if ready else ""
    if not line.startswith(key + " "):
        raise Broken(f"it did not say its {key}: {words_of(program)}")
    return figures(line)[key]


def run_program(work, system, workers, size, _):
    program = start([system.program, work.name, str(workers), str(size)], system.environment,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    return finish(program)


def run_load(system, workers, steps, words):
    """Starts the system's server, and the load generator on it; what both print."""
    server = start([system.program, "echo_server", str(workers), str(steps)], system.environment,
                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        port = int(hear(server, "port"))
        control = server.stdin.fileno()
        mode, milliseconds, *rate = words
        load = start([*machine.real_time, LOAD.program, mode, str(port), str(milliseconds),
                      str(control), *map(str, rate)], {}, stdin=subprocess.DEVNULL,
                     stdout=subprocess.PIPE, pass_fds=[control])
        found = finish(load)
        found.update(finish(server, 10))
        return found
    finally:
        stop(server)


def run_echo(work, system, workers, size, seconds):
    return run_load(system, workers, 0, ("closed", int(seconds * 1000)))


def run_mixed(work, system, workers, size, seconds):
    """Once with an idle pool, once with a busy one."""
    open_loop = ("open", int(seconds * 1000), work.rate)
    idle = run_load(system, workers, 0, open_loop)
    found = run_load(system, workers, machine.job_steps, open_loop)
    found["idle_p99_ns"] = idle["p99_ns"]
    found["result"] += idle["result"]
    return found


def cpu_ns(pid):
    """What all threads of the process have used."""
    total = 0
    for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
        with open(path, encoding="ascii") as file:
            total += int(file.read().split()[0])
    return total


def calls_between(trace, begin, end):
    """How many system calls began then, by the times that strace wrote."""
    count = 0
    with open(trace, encoding="utf-8", errors="replace") as file:
        for text in file:
            words = text.split(None, 2)
            if len(words) == 3 and not words[2].startswith(("<... ", "+++", "---")):
                count += begin <= float(words[1]) < end
    return count


def run_idle(work, system, workers, size, seconds):
    """Two of them: one is left alone and its CPU time read, the other is watched by strace."""
    command = [system.program, work.name, str(workers), str(size)]
    trace = os.path.join(OUT, f"trace.{os.getpid()}")
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE}
    alone = start(command, system.environment, **pipes)
    watched = None
    try:
        found = {"result": hear(alone, "result")}
        if machine.may_trace:
            watched = start(["strace", "-f", "-ttt", "-o", trace, *command], system.environment,
                            **pipes)
            hear(watched, "result")
        time.sleep(1)
        begin, before = time.time(), cpu_ns(alone.pid)
        time.sleep(seconds)
        end = time.time()
        found["cpu_ns"] = cpu_ns(alone.pid) - before
        if watched:
            stop(watched)
            found["calls"] = calls_between(trace, begin, end)
        return found
    finally:
        stop(alone)
        if watched:
            stop(watched)
        with contextlib.suppress(FileNotFoundError):
            os.remove(trace)


KINDS = {"program": run_program, "echo": run_echo, "mixed": run_mixed, "idle": run_idle}


class Machine:
    """What this machine allows, found out once."""

    def __init__(self):
        self.real_time = []
        self.job_steps = 0
        self.may_trace = False


machine = Machine()


def is_allowed(command):
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
                              check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def set_up(works):
    """Looks what this machine allows; gives remarks for the report."""
    notes = []
    kinds = {work.kind for work in works}
    if kinds & {"echo", "mixed"}:
        chrt = ["chrt", "-f", "10"]
        if is_allowed([*chrt, "true"]):
            machine.real_time = chrt
            notes.append("The load generator ran at real-time priority (chrt -f 10).")
        else:
            notes.append("Real-time priority is not allowed here: the load generator ran at normal "
                         "priority, so echo and mixed measure its waiting too.")
    if "mixed" in kinds:
        machine.job_steps = int(finish(start([LOAD.program, "calibrate"], {},
                                             stdin=subprocess.DEVNULL,
                                             stdout=subprocess.PIPE))["steps"])
    if "idle" in kinds:
        machine.may_trace = is_allowed(["strace", "-f", "-o", "/dev/null", "true"])
        if not machine.may_trace:
            notes.append("strace is not allowed here: the system calls of idle were not counted.")
    return notes

"""bench/run - weft and its peers, side by side in one run.

    bench/run                    every work, at full size: half an hour
    bench/run --quick            every work, smaller: under ten minutes
    bench/run skynet mixed_5k    these works
    bench/run --list             what the works are, and who does them

It installs the Debian packages that the peers need (as root or with sudo), builds all, and lets the
systems take turns, round after round; each result is checked. On standard output come the lines
work, system, median, unit, least and most of the rounds, tab separated, then a table with the ratio
of weft to the best peer. bench/report.html shows the same with bars. Ends with 1 if a program
failed.
"""
import argparse
import os
import signal
import sys

import measure
import programs
import report
import systems
import works


def options():
    parser = argparse.ArgumentParser(
        prog="bench/run", description=__doc__.partition("\n")[0].partition(" - ")[2],
        epilog=__doc__.partition("\n\n")[2], formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a work; none: all")
    parser.add_argument("--list", action="store_true", help="list the works and end")
    parser.add_argument("--quick", action="store_true", help="smaller works: under ten minutes")
    parser.add_argument("--json", metavar="FILE", help="write the figures of all rounds there too")
    parser.add_argument("--systems", metavar="LIST", help="only these, parted by commas")
    parser.add_argument("--rounds", type=int, metavar="N", help="so many rounds (most works: 5)")
    return parser.parse_args()


def choose(plan):
    """The works asked for, each with the systems asked for."""
    known = {work.name: work for work in works.WORKS}
    for name in plan.names:
        if name not in known:
            raise systems.Failure(f"there is no work {name}; bench/run --list names them")
    only = plan.systems.split(",") if plan.systems else list(systems.SYSTEMS)
    for name in only:
        if name not in systems.SYSTEMS:
            raise systems.Failure(f"there is no system {name}; there are "
                                  + ", ".join(systems.SYSTEMS))
    chosen = []
    for work in works.WORKS:
        if not plan.names or work.name in plan.names:
            who = [name for name in work.names() if name in only]
            if who:
                chosen.append((work, who))
    return chosen


def measure_all(plan, chosen):
    progress = measure.Progress()
    notes = programs.set_up([work for work, _ in chosen])
    about = report.machine()
    busy = measure.Busy()
    rows, broken = [], []
    for words in notes:
        systems.say(words)
    for count, (work, who) in enumerate(chosen, 1):
        progress.show(f"{work.name} ({count} of {len(chosen)})")
        done, failed = measure.measure(work, who, plan, progress)
        rows += done
        broken += failed
        for row in done:
            print(report.line(row), flush=True)
    notes.append(busy.words())
    systems.say(notes[-1])
    print(f"\n{report.table(rows)}")
    page = os.path.join(systems.HOME, "bench", "report.html")
    report.write_page(page, about, rows, broken, notes)
    systems.say(f"wrote {os.path.relpath(page)}")
    if plan.json:
        report.write_json(plan.json, about, rows, broken, notes)
    for words in broken:
        systems.say(f"failed: {words}")
    return 1 if broken else 0


def main():
    plan = options()
    if plan.list:
        for work in works.WORKS:
            print(f"{work.name:18} {work.about} ({work.systems})")
        return 0
    if plan.rounds is not None and plan.rounds < 1:
        raise systems.Failure("--rounds needs a number of 1 or more")
    chosen = choose(plan)
    if not chosen:
        raise systems.Failure("none of these systems does any of these works")
    needed = [name for name in systems.SYSTEMS if any(name in who for _, who in chosen)]
    systems.prepare(needed, {work.kind for work, _ in chosen})
    return measure_all(plan, chosen)


def interrupt(_signal, _frame):
    raise KeyboardInterrupt


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, interrupt)
    try:
        status = main()
    except systems.Failure as why:
        systems.say(str(why))
        status = 2
    except KeyboardInterrupt:
        systems.say("stopped")
        status = 130
    finally:
        programs.stop_all()
    sys.exit(status)

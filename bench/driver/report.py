"""report - what was measured, as lines, as a table of ratios, as JSON and as a page with bars."""
import html
import json
import os
import platform
import shutil
import subprocess
import time

from works import ASIDE


def number(value):
    if value >= 1000 or value == 0:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def line(row):
    return "\t".join([row.name, row.system, number(row.median()), row.metric.unit,
                      number(min(row.values)), number(max(row.values))])


def by_name(rows):
    groups = {}
    for row in rows:
        groups.setdefault(row.name, []).append(row)
    return groups


def ratio(row, peer):
    """How many times weft's figure is the peer's; below 1 weft is ahead, whatever the unit."""
    mine, its = row.median(), peer.median()
    if row.metric.more_is_better:
        mine, its = its, mine
    if its == 0:
        return 1.0 if mine == 0 else float("inf")
    return mine / its


def best(rows):
    return (max if rows[0].metric.more_is_better else min)(rows, key=lambda row: row.median())


def comparisons(rows):
    """(name, weft's row, the best peer's row, ratio) for every figure that counts."""
    found = []
    for name, group in by_name(rows).items():
        weft = [row for row in group if row.system == "weft"]
        peers = [row for row in group if row.system != "weft" and row.counts]
        if weft and peers and group[0].metric.has_ratio:
            first = best(peers)
            found.append((name, weft[0], first, ratio(weft[0], first)))
    return found


def table(rows):
    if not comparisons(rows):
        return "There is nothing to compare: weft and a peer have to take part."
    lines = [f"{'work':28} {'weft':>10} {'best peer':>10} {'unit':8} {'which':12} "
             f"{'weft / best':>11}"]
    for name, weft, peer, times in comparisons(rows):
        lines.append(f"{name:28} {number(weft.median()):>10} {number(peer.median()):>10} "
                     f"{weft.metric.unit:8} {peer.system:12} {times:>11.2f}")
    lines.append("Below 1 weft is ahead, whatever the unit.")
    lines += headlines(rows)
    aside = sorted({f"{row.system} in {row.name}" for row in rows if not row.counts})
    if aside:
        lines.append(f"Shown, but no peer there ({ASIDE}): {', '.join(aside)}.")
    return "\n".join(lines)


def headlines(rows):
    """How far weft's latency rises when its pool computes, and what that costs in jobs."""
    found = {(row.name, row.system): row.median() for row in rows}
    lines = []
    for name in sorted({row.name.partition("/")[0] for row in rows if row.name.endswith("/jobs")}):
        busy, idle = found.get((f"{name}/p99", "weft")), found.get((f"{name}/idle_p99", "weft"))
        jobs, plain = found.get((f"{name}/jobs", "weft")), found.get((f"{name}/jobs", "epoll"))
        if busy and idle and jobs and plain:
            lines.append(f"{name}: weft's p99 beside a busy pool is {busy / idle:.2f} times its idle "
                         f"p99, with {jobs / plain:.0%} of the jobs that plain threads finish.")
    return lines


def first_line(command):
    if not shutil.which(command[0]):
        return ""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return (done.stdout or done.stderr).splitlines()[0] if done.stdout or done.stderr else ""


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for text in file:
            if text.startswith("model name"):
                return text.partition(":")[2].strip()
    return platform.machine()


def memory_gib():
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def packages():
    """Debian's versions of the peers that are libraries."""
    names = ["librust-tokio-dev", "librust-rayon-dev", "libtbb-dev", "libgomp1", "libuv1-dev",
             "libboost-fiber1.74-dev"]
    if not shutil.which("dpkg-query"):
        return {}
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", *names],
                          capture_output=True, text=True, check=False)
    return dict(text.split(" ", 1) for text in done.stdout.splitlines() if " " in text)


def machine():
    return {
        "date": time.strftime("%Y-%m-%d %H:%M %Z"),
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(memory_gib(), 1),
        "kernel": platform.release(),
        "load_average": round(os.getloadavg()[0], 1),
        "gcc": first_line(["gcc", "--version"]),
        "go": first_line(["go", "version"]),
        "cargo": first_line(["cargo", "--version"]),
        **packages(),
    }


def write_json(path, about, rows, broken, notes):
    data = {"machine": about, "notes": notes, "failed": broken, "rows": [
        {"work": row.name, "system": row.system, "median": row.median(), "unit": row.metric.unit,
         "min": min(row.values), "max": max(row.values), "values": row.values} for row in rows]}
    with open(path, "w", encoding="utf-8") as file:
        json.dump(data, file, indent=1)
        file.write("\n")


STYLE = """
:root { color-scheme: light dark; --weft: #0a7d55; --peer: #8a94a6; --text: #1c2330;
        --faint: #667085; --page: #ffffff; --track: #eef1f5; }
@media (prefers-color-scheme: dark) { :root { --weft: #35c48d; --peer: #77829a; --text: #e6e9ef;
        --faint: #9aa4b5; --page: #14171d; --track: #232833; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--page);
       max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h2 { font-size: 1rem; margin: 2rem 0 .4rem; } h2 small, p { color: var(--faint); font-weight: 400; }
.row { display: grid; grid-template-columns: 8rem 1fr 14rem; gap: .6rem; align-items: center;
       margin: .15rem 0; font-variant-numeric: tabular-nums; }
.track { position: relative; height: 1rem; background: var(--track); border-radius: 3px; }
.bar { position: absolute; inset: 0 auto 0 0; background: var(--peer); border-radius: 3px; }
.weft .bar { background: var(--weft); } .weft { font-weight: 600; }
.bar.cut { background: linear-gradient(to right, var(--peer) 85%, transparent); }
.range { position: absolute; top: 50%; height: 2px; background: var(--text); opacity: .75; }
.range::before, .range::after { content: ""; position: absolute; top: -4px; height: 10px;
       width: 2px; background: inherit; } .range::before { left: 0; } .range::after { right: 0; }
table { border-collapse: collapse; } td, th { text-align: right; padding: .15rem .7rem; }
td:first-child, th:first-child { text-align: left; }
.ahead { color: var(--weft); font-weight: 600; }
"""


def scale_end(group):
    """The figure at the right edge; far slower peers would press the rest flat: cut off."""
    near = [row.median() for row in group if row.system == "weft"] + [best(group).median()]
    return min(max(max(row.values) for row in group), 5 * max(near)) or 1


def bars(name, group):
    end = scale_end(group)
    more = "more" if group[0].metric.more_is_better else "less"
    parts = [f"<h2>{html.escape(name)} <small>{html.escape(group[0].metric.unit)}, {more} is better"
             "</small></h2>"]
    for row in group:
        low, high, middle = (min(100 * value / end, 100)
                             for value in (min(row.values), max(row.values), row.median()))
        star = "" if row.counts else " *"
        kind = "row weft" if row.system == "weft" else "row"
        cut = " cut" if row.median() > end else ""
        reach = f'<div class="range" style="left:{low:.2f}%;width:{high - low:.2f}%"></div>'
        parts.append(
            f'<div class="{kind}"><span>{html.escape(row.system)}{star}</span>'
            f'<div class="track"><div class="bar{cut}" style="width:{middle:.2f}%"></div>'
            f'{"" if cut else reach}</div>'
            f"<span>{number(row.median())} ({number(min(row.values))} to {number(max(row.values))})"
            "</span></div>")
    return "\n".join(parts)


def write_page(path, about, rows, broken, notes):
    facts = html.escape(", ".join(f"{key}: {value}" for key, value in about.items() if value))
    ratios = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{number(weft.median())} {weft.metric.unit}</td>"
        f"<td>{number(peer.median())} ({peer.system})</td>"
        f'<td class="{"ahead" if times < 1 else ""}">{times:.2f}</td></tr>'
        for name, weft, peer, times in comparisons(rows))
    remarks = "".join(f"<p>{html.escape(words)}</p>" for words in notes + headlines(rows) + broken)
    charts = "\n".join(bars(name, group) for name, group in by_name(rows).items())
    with open(path, "w", encoding="utf-8") as file:
        file.write(
            '<!doctype html><html lang="en"><meta charset="utf-8">'
            "<title>weft beside its peers</title>"
            '<meta name="viewport" content="width=device-width">'
            f"<style>{STYLE}</style><h1>weft beside its peers</h1><p>{facts}</p>{remarks}"
            "<p>Bars are medians; the lines go from the least to the most of the rounds. Bars that "
            "fade are cut off. A ratio below 1: weft is ahead. *: not the same work, no peer here "
            f"({ASIDE}).</p><table>"
            "<tr><th>work</th><th>weft</th><th>best peer</th><th>ratio</th></tr>"
            f"{ratios}</table>{charts}</html>\n")

#!/usr/bin/env python3
"""Checks what contrast wrote: contrast_check.py LOOP SCALE JSON HTML. Nothing here is an upper bound
in time: a busy machine is no failure."""
import json
import sys

loop, scale, json_path, html_path = sys.argv[1:5]
scale = float(scale)
wrong = []


def expect(true, sentence):
    if not true:
        wrong.append(sentence)


with open(json_path, encoding="utf-8") as file:
    report = json.load(file)

expect(report["primes"] == 1270607, f"primes is {report['primes']}, not 1270607")
expect(report["loop"] in (loop, "epoll"), f"loop is {report['loop']}, not {loop}")
expect(report["workers"] >= 1 and report["pool"] >= 1, "no workers or no pool")
names = [mode["name"] for mode in report["modes"]]
expect(names == ["sequential", "one_worker", "all_workers", "pool"], f"modes are {names}")

for mode in report["modes"]:
    longest = (6 if mode["name"] == "sequential" else 3) * scale
    expect(mode["waits_s"] >= longest, f"{mode['name']}: waits took {mode['waits_s']} s: too short")
    expect(mode["primes_s"] > 0, f"{mode['name']}: primes took no time")
    expect(mode["both_s"] >= longest, f"{mode['name']}: both took {mode['both_s']} s: too short")
    expect(mode["cpu_s"] > 0, f"{mode['name']}: no CPU time")
    expect("longest_freeze_ms" in mode, f"{mode['name']}: no longest_freeze_ms")

one_worker = report["modes"][1]
job_ms = one_worker["primes_s"] * 1000 / 8
expect(one_worker["longest_freeze_ms"] >= job_ms / 2,
       f"one_worker: a freeze of {one_worker['longest_freeze_ms']} ms, but a job takes {job_ms:.0f} ms")

with open(html_path, encoding="utf-8") as file:
    page = file.read()
expect("</html>" in page, "the page has no end")
for outside in ("http://", "https://", "<link", "src="):
    expect(outside not in page.replace("http://www.w3.org/", ""), f"the page reaches outside: {outside}")

print("\n".join(wrong) or "all figures are possible")
sys.exit(1 if wrong else 0)

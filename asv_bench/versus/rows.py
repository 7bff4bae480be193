"""What a comparison found: rows with both sides and a verdict, and the report that shows and keeps them."""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass
class Row:
    """One measured quantity on both sides, and its bar.

    `judge` is "ratio" (Synap's median over the peer's) or "value" (Synap's median itself).
    """

    number: str
    what: str
    unit: str
    peer: str = "redis"
    floor: float | None = None
    goal: float | None = None
    more_is_better: bool = True
    judge: str = "ratio"
    note: str = ""
    values: dict[str, list[float]] = field(default_factory=dict)

    def add(self, side: str, value: float) -> None:
        self.values.setdefault(side, []).append(float(value))

    def median(self, side: str) -> float | None:
        found = self.values.get(side)
        return statistics.median(found) if found else None

    @property
    def ratio(self) -> float | None:
        ours, theirs = self.median("synap"), self.median(self.peer)
        return ours / theirs if ours is not None and theirs else None

    @property
    def verdict(self) -> str:
        if self.median("synap") is None:
            return "not served" if not self.note else "no figure"
        if self.floor is None:
            return "-"
        measured = self.ratio if self.judge == "ratio" else self.median("synap")
        if measured is None:
            return "no peer"
        reaches = (lambda bar: measured >= bar) if self.more_is_better else (lambda bar: measured <= bar)
        if self.goal is not None and reaches(self.goal):
            return "PASS, goal"
        return "PASS" if reaches(self.floor) else "**below floor**"

    def cells(self) -> list[str]:
        bar = "-" if self.floor is None else f"{number(self.floor)} / {number(self.goal)}"
        ratio = "-" if self.ratio is None else f"{self.ratio:.2f}"
        what = f"{self.what}, {self.unit}" + (f" ({self.note})" if self.note else "")
        theirs = "-" if self.peer == "-" else f"{self.peer}: {self.spread(self.peer)}"
        return [self.number, what, self.spread("synap"), theirs, ratio, bar,
                self.verdict]

    def spread(self, side: str) -> str:
        found = self.values.get(side)
        if not found:
            return "-"
        middle = number(statistics.median(found))
        return middle if len(found) == 1 else f"{middle} ({number(min(found))}-{number(max(found))})"

    def as_dict(self) -> dict[str, Any]:
        kept = ("number", "what", "unit", "peer", "floor", "goal", "more_is_better", "judge", "note",
                "values")
        return {name: getattr(self, name) for name in kept} | {"ratio": self.ratio, "verdict": self.verdict}


HEADINGS = ["#", "what", "Synap", "peer", "ratio", "floor / goal", "verdict"]


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"


def table(headings: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table, padded so that it also reads well on a terminal."""
    rows = [list(headings), *map(list, lines)]
    width = [max(len(row[i]) for row in rows) for i in range(len(headings))]
    text = ["| " + " | ".join(cell.ljust(width[i]) for i, cell in enumerate(row)) + " |" for row in rows]
    text.insert(1, "|" + "|".join("-" * (each + 2) for each in width) + "|")
    return "\n".join(text)


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    model = next((line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = {"processor": f"{model}, {os.cpu_count()} cores", "memory": f"{memory:.0f} GiB",
             "system": f"{platform.system()} {platform.release()}", "python": platform.python_version()}
    if shutil.which("redis-server"):
        said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=False)
        facts["redis"] = next((word[2:] for word in said.stdout.split() if word.startswith("v=")), "?")
    if shutil.which("nats-server"):
        said = subprocess.run(["nats-server", "--version"], capture_output=True, text=True, check=False)
        facts["nats"] = said.stdout.split()[-1] if said.stdout else "?"
    return facts


def busy_share(seconds: float = 1.0) -> float:
    """How much of all cores is in use right now; anything but nothing spoils a comparison."""
    def ticks() -> tuple[int, int]:
        found = [int(word) for word in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(found), found[3] + found[4]

    total, idle = ticks()
    time.sleep(seconds)
    total_after, idle_after = ticks()
    return 1.0 - (idle_after - idle) / max(1, total_after - total)


class Report:
    """Collects rows, prints them as a table, writes them as JSON. Use as a context manager."""

    def __init__(self, name: str, doc: str | None, options: argparse.Namespace) -> None:
        self.name = name
        self.question = (doc or "").strip().splitlines()[0]
        self.options = options
        self.rows: list[Row] = []
        self.notes: list[str] = []

    def row(self, number: str, what: str, unit: str, **bar: Any) -> Row:
        row = Row(number, what, unit, **bar)
        self.rows.append(row)
        return row

    def note(self, text: str) -> None:
        print(f"note: {text}", file=sys.stderr)
        self.notes.append(text)

    def __enter__(self) -> "Report":
        busy = busy_share()
        if busy > 0.05:
            self.note(f"the machine was not idle: {busy:.0%} of its cores were busy before the first run")
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        """What was measured before a failure is still shown; only a whole run is kept."""
        import limits  # it needs numba only for one line, and only here

        self.limits = limits.measure(Path(self.options.data_root))
        print(f"\n## {self.question}\n")
        print(table(HEADINGS, (row.cells() for row in self.rows)))
        print()
        for name, text in (machine() | self.limits).items():
            print(f"- {name}: {text}")
        for text in self.notes:
            print(f"- note: {text}")
        if self.options.candidate == "synap" and kind is None:
            print(f"\nwritten: {self.write()}", file=sys.stderr)

    def write(self) -> str:
        folder = Path(self.options.json)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / (f"{self.name}.quick.json" if self.options.quick else f"{self.name}.json")
        content = {"name": self.name, "question": self.question, "quick": self.options.quick,
                   "runs": self.options.runs, "taken": time.strftime("%Y-%m-%d"), "machine": machine(),
                   "limits": self.limits, "notes": self.notes, "rows": [row.as_dict() for row in self.rows]}
        path.write_text(json.dumps(content, indent=1) + "\n")
        return path.name

"""How long until a server answers: first ever, with a warm cache, after editing one kernel? (P21)

    python asv_bench/versus/start.py --quick
    python asv_bench/versus/start.py --edit store/kinds/strings/strings.py store/kinds/lists/lists.py

Runs on a copy of the package tree in a temporary folder, with SYNAP_CACHE_DIR in that folder too, so
neither the checkout nor the user's cache is touched. `first ever` begins with an empty cache; `cached`
starts again; for `after editing` one statement is added to the first compiled function of a file, then
the server is started and asked for a SET over RESP. Nothing is pinned: compiling may use every core.
CPU seconds count the server and its children that are still alive, and those it has waited for.
"""

import ast
import os
import shutil
import time
from pathlib import Path

from harness import arguments, parse
from nodes import TICKS, Node, Redis, Synap
from rows import Report

KERNEL_NAMES = ("kernel", "door")
"""The decorators of compiled functions."""


def compiled(function: ast.stmt) -> bool:
    if not isinstance(function, ast.FunctionDef):
        return False
    names = [each.func if isinstance(each, ast.Call) else each for each in function.decorator_list]
    return any(isinstance(name, ast.Name) and name.id in KERNEL_NAMES for name in names)


def edit(path: Path, turn: int) -> str:
    """Add one statement without effect to the first compiled function; its name."""
    text = path.read_text()
    for function in ast.parse(text).body:
        if not compiled(function):
            continue
        assert isinstance(function, ast.FunctionDef)
        first = next(each for each in function.body
                     if not (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant)))
        lines = text.splitlines(keepends=True)
        lines.insert(first.lineno - 1, f"{' ' * first.col_offset}edited_{turn} = {turn}\n")
        path.write_text("".join(lines))
        return function.name
    raise SystemExit(f"{path.name} has no function decorated with {' or '.join(KERNEL_NAMES)}")


class Starting(Synap):
    """Synap that notes when /health said 200; the RESP port may listen a moment later."""

    healthy_at = 0.0

    def ready(self) -> bool:
        if not self.healthy_at:
            if not self.healthy():
                return False
            self.healthy_at = time.perf_counter()
        return super().ready()


def first_answer(node: Node) -> tuple[float, float, float]:
    """Seconds to /health 200, to the first SET answered, and CPU seconds spent."""
    begun = time.perf_counter()
    node.start()
    with node.client() as client:
        client.call(b"SET", b"k", b"v")
    answered = time.perf_counter() - begun
    assert node.process is not None
    stat = Path(f"/proc/{node.process.pid}/stat").read_text().rpartition(")")[2].split()
    waited_for = (int(stat[13]) + int(stat[14])) / TICKS
    cpu = node.cpu_seconds() + waited_for
    node.stop()
    healthy = node.healthy_at - begun if isinstance(node, Starting) else node.started_s
    return healthy, answered, cpu


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--edit", nargs="+", default=["store/kinds/strings/strings.py"], metavar="FILE",
                        help="files of the package, one edited for each row")
    options = parse(parser)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    tree = options.root / "tree"
    cache = options.root / "cache"
    if options.candidate == "synap":
        source = Path(__file__).resolve().parents[2] / "synap"
        shutil.copytree(source, tree / "synap", ignore=shutil.ignore_patterns("__pycache__"))
    environment = {"SYNAP_CACHE_DIR": str(cache), "PYTHONPATH": str(tree)}

    def node() -> Node:
        if options.candidate == "redis":
            return Redis(options.root, core=None, env=environment)
        made = Starting(options.root, ["persistence.enabled=false", *options.set], core=None, env=environment)
        made.cwd = tree
        return made

    def rows(report: Report, title: str, **bar: float) -> None:
        common = {"more_is_better": False, "judge": "value", "peer": "-"}
        report.row("P21", f"{title}: to /health 200", "s", **common, **bar)
        report.row("P21", f"{title}: to the first SET", "s", **common)
        report.row("P21", f"{title}: CPU", "s", **common)

    def measure(report: Report) -> None:
        server = node()
        for row, figure in zip(report.rows[-3:], first_answer(server), strict=True):
            row.add("synap", figure)
        server.remove()

    with Report("start", __doc__, options) as report:
        rows(report, "first ever", floor=60.0, goal=25.0)
        for _ in range(1 if options.quick else options.runs):
            shutil.rmtree(cache, ignore_errors=True)
            cache.mkdir()
            measure(report)
        rows(report, "cached", floor=2.5, goal=1.0)
        for _ in range(options.runs):
            measure(report)
        for file in options.edit:
            rows(report, f"after editing a kernel of {file}", floor=12.0, goal=6.0)
            for turn in range(1 if options.quick else options.runs):
                if options.candidate == "synap":
                    edit(tree / "synap" / file, turn)
                measure(report)


if __name__ == "__main__":
    main()

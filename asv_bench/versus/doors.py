"""What do 250 more commands cost at start? CPU and wall time with a cold cache, size, one edit. (P21)

    python asv_bench/versus/doors.py --quick
    python asv_bench/versus/doors.py --commands 250 --families 8

Makes a copy of the package in a temporary folder, with rows of generated commands in families of their
own, each with a door. A command is a small function as real ones are: find the key, look at its kind,
decide by its value and the arguments, write. The kernels are made ready in a process of its own with two
workers (`synap.store.entry_points.prepare`, what a start does), for the package as it is and for the larger
one. Nothing is pinned. On a busy machine CPU seconds are the figure to believe: they count the process
and its workers, who have ended by then.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness import arguments, parse
from rows import Report
from start import edit

ROOT = Path(__file__).resolve().parents[2]
CODE_FIRST = 0x60
WORKERS = 2

HEAD = '''"""Generated commands: a family of small functions over strings."""

from synap.compiler.jit import kernel
from synap.kernels.integers import add_overflows, parse_integer, print_integer
from synap.kernels.spans import move, same
from synap.store.kinds.strings import strings
from synap.store.memory.kinds import STRING
from synap.store.memory.layout import CHANGED, DONE, FULL, ITEM, NIL, NUMBER, SCRATCH
from synap.store.memory.refusals import INTEGER_OVERFLOW, NOT_AN_INTEGER, OUT_OF_RANGE, WRONG_TYPE
from synap.store.memory.tables import REF_MASK
from synap.store.memory.tapes import add_text, fits, set_scalar, text_at, text_mark, text_size
from synap.store.records import keyspace

'''

FIND = '''
@kernel
def command_{i}(words, octets, tape, now, reply):
    """{what}"""
    h = keyspace.hash_text(words, octets, tape, 0)
    seat = keyspace.locate_text(words, octets, tape, 0, h)
    old = 0
    if seat and not keyspace.expired(words, words[seat] & REF_MASK, now):
        old = words[seat] & REF_MASK
        if keyspace.kind_of(words, old) != STRING:
            return WRONG_TYPE
'''
BODIES = {
    "Add, but not above a bound.": '''
    value = 0
    if old:
        value, valid = parse_integer(octets, strings.value_at(words, old), keyspace.value_size(words, old))
        if not valid:
            return NOT_AN_INTEGER
    if add_overflows(value, words[tape + 4]):
        return INTEGER_OVERFLOW
    value = min(value + words[tape + 4], {n} * 1000)
    size = print_integer(octets, SCRATCH * 8, value)
    if not strings.write(words, octets, tape, 0, h, seat, SCRATCH * 8, size, 0, 0, False):
        return 0
    set_scalar(words, reply, value)
    return NUMBER | CHANGED
''',
    "Set if the value ends as the argument does.": '''
    if old == 0 or keyspace.value_size(words, old) < {n}:
        return NIL
    size = text_size(words, tape, 2)
    have = keyspace.value_size(words, old)
    if size > have or not same(octets, strings.value_at(words, old) + have - size, text_at(words, tape, 2), size):
        return NIL
    mark = text_mark(words, tape, 2)
    if not strings.write(words, octets, tape, 0, h, seat, text_at(words, tape, 2), size, mark, 0, False):
        return 0
    return DONE | CHANGED
''',
    "Give the value and put another in its place.": '''
    size = 0
    if old:
        size = keyspace.value_size(words, old)
        if size > {n} << 20:
            return OUT_OF_RANGE
        if not fits(words, reply, 1, size):
            return FULL
        set_scalar(words, reply, 0)
        add_text(words, reply, strings.value_at(words, old), size, keyspace.mark_of(words, old))
    deadline = now + words[tape + 4] * {n} if words[tape + 4] > 0 else 0
    if not strings.write(words, octets, tape, 0, h, seat, text_at(words, tape, 2), text_size(words, tape, 2),
                         text_mark(words, tape, 2), deadline, old != 0):
        return 0
    return ITEM | CHANGED if old else NIL | CHANGED
''',
    "Write some bytes of the argument over the value's first ones.": '''
    size = min(text_size(words, tape, 2), {n} % 61 + 1)
    have = 0
    if old:
        have = keyspace.value_size(words, old)
        if have < size:
            return OUT_OF_RANGE
        if have > 256:
            return OUT_OF_RANGE
        move(octets, SCRATCH * 8, strings.value_at(words, old), have)
    move(octets, SCRATCH * 8, text_at(words, tape, 2), size)
    total = max(size, have)
    if not strings.write(words, octets, tape, 0, h, seat, SCRATCH * 8, total, 0, 0, False):
        return 0
    set_scalar(words, reply, total)
    return NUMBER | CHANGED
''',
    "Count how often a byte stands in the value, and keep the count.": '''
    if old == 0:
        set_scalar(words, reply, -1)
        return NUMBER
    count = 0
    at = strings.value_at(words, old)
    for i in range(keyspace.value_size(words, old)):
        if octets[at + i] == {n} % 256:
            count += 1
    if count < words[tape + 4]:
        set_scalar(words, reply, count)
        return NUMBER
    size = print_integer(octets, SCRATCH * 8, count)
    if not strings.write(words, octets, tape, 0, h, seat, SCRATCH * 8, size, 0, 0, False):
        return 0
    set_scalar(words, reply, count)
    return NUMBER | CHANGED
''',
}

ROWS = '''"""Rows of the generated commands."""

from synap.command import WRITE, Command, Int, Key, Raw

ROWS = [
    Command(f"dummy{family}.command_{i}", (FIRST + family) << 8 | i, "Generated.", resp=f"D{family}C{i}",
            args=(Key("key", access=WRITE), Raw("value"), Int("amount", default=0)), run=f"dummy{family}.command_{i}",
            writes=True, grows=True, room=80)
    for family in range(FAMILIES) for i in range(SIZES[family])
]
'''

READY = '''
import json, os, sys, time
begun = time.perf_counter()
from synap.commands import FAMILIES
from synap.compiler import jit
from synap.store import program
total = 0
def tell(done, of, name):
    global total
    total = of
program.prepare(FAMILIES, int(sys.argv[1]), tell)
wall = time.perf_counter() - begun
spent = os.times()
def size(module):
    folder = sources.entries.directory / jit.digest(module)
    return sum(path.stat().st_size for path in folder.iterdir())
doors = {family: size(f"synap.store.doors.{family}") for family in FAMILIES}
whole = sum(path.stat().st_size for path in sources.entries.directory.rglob("*") if path.is_file())
print(json.dumps({"wall": wall, "cpu": sum(spent[:4]), "compiled": total, "doors": doors, "bytes": whole}))
'''


def grow(tree: Path, commands: int, families: int) -> None:
    """Add the generated families to the package in `tree`."""
    package = tree / "synap"
    bodies = list(BODIES.items())
    sizes = [commands // families + (family < commands % families) for family in range(families)]
    for family, count in enumerate(sizes):
        text = HEAD
        for i in range(count):
            what, body = bodies[(i + family) % len(bodies)]
            text += FIND.format(i=i, what=what) + body[1:].format(n=family * 37 + i + 2) + "\n"
        (package / "store" / f"dummy{family}.py").write_text(text)
    rows = ROWS.replace("FIRST", str(CODE_FIRST)).replace("FAMILIES", str(families)).replace("SIZES", repr(sizes))
    (package / "commands" / "dummies.py").write_text(rows)
    table = package / "commands" / "__init__.py"
    text = table.read_text().replace("import connection,", "import connection, dummies,")
    text = text.replace("*connection.ROWS]", "*connection.ROWS, *dummies.ROWS]")
    names = "".join(f', "dummy{family}"' for family in range(families))
    table.write_text(text.replace('"queues")', f'"queues"{names})'))
    doors = "from synap.commands import CATALOGUE, FAMILIES\nfrom synap.derive.doors import door_text\n"
    doors += "for name in FAMILIES:\n    open(f'synap/store/doors/{name}.py', 'w').write(door_text(CATALOGUE, name))\n"
    subprocess.run([sys.executable, "-c", doors], cwd=tree, env=environment(tree, tree), check=True)


def environment(tree: Path, cache: Path) -> dict[str, str]:
    return dict(os.environ, PYTHONPATH=str(tree), SYNAP_CACHE_DIR=str(cache), OPENBLAS_NUM_THREADS="1")


def ready(tree: Path, cache: Path) -> dict[str, Any]:
    """Make the kernels ready in a fresh process; what that took."""
    done = subprocess.run([sys.executable, "-c", READY, str(WORKERS)], cwd=tree, env=environment(tree, cache),
                          capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--commands", type=int, default=250, metavar="N", help="commands to add")
    parser.add_argument("--families", type=int, default=8, metavar="N", help="families that they belong to")
    options = parse(parser)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    small, large = options.root / "small", options.root / "large"
    trees = {"the package as it is": small, f"with {options.commands} more commands": large}
    for tree in trees.values():
        shutil.copytree(ROOT / "synap", tree / "synap", ignore=shutil.ignore_patterns("__pycache__"))
    grow(large, options.commands, options.families)
    runs = 1 if options.quick else options.runs
    added = [f"dummy{family}" for family in range(options.families)]

    with Report("doors", __doc__, options) as report:
        common = {"more_is_better": False, "judge": "value", "peer": "-"}
        rows = {
            (title, what): report.row("P21", f"{title}, cold: {what}", "s", **common)
            for title in trees for what in ("wall", "CPU")
        }  # fmt: skip
        each = report.row("P21", "CPU for each command added", "s", **common)
        size = report.row("P21", "the added doors in the cache", "KiB", **common)
        whole = report.row("P21", "the whole cache", "MiB", **common)
        warm = report.row("P21", "with them, warm: wall", "s", floor=2.5, goal=1.0, **common)
        one = report.row("P21", "after editing a kernel of one added family: wall", "s", floor=12.0, goal=6.0, **common)
        one_cpu = report.row("P21", "after editing a kernel of one added family: CPU", "s", **common)
        for turn in range(runs):
            spent = {}
            for title, tree in trees.items():
                cache = options.root / f"cache-{tree.name}-{turn}"
                found = ready(tree, cache)
                rows[title, "wall"].add("synap", found["wall"])
                rows[title, "CPU"].add("synap", found["cpu"])
                spent[tree] = found
            each.add("synap", (spent[large]["cpu"] - spent[small]["cpu"]) / options.commands)
            size.add("synap", sum(spent[large]["doors"][name] for name in added) / 1024)
            whole.add("synap", spent[large]["bytes"] / 1024**2)
            warm.add("synap", ready(large, cache)["wall"])
            edit(large / "synap" / "store" / "dummy0.py", turn)
            found = ready(large, cache)
            one.add("synap", found["wall"])
            one_cpu.add("synap", found["cpu"])
            report.note(f"after the edit {found['compiled']} function was compiled")


if __name__ == "__main__":
    main()

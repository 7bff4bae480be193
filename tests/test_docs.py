"""What the pages show is what happens: their commands are run against a server, and their Python in a process of its
own. Once all pages are read as a reader does, on one server in one directory, in several orders."""

import os
import random
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.server.clients import Server

ROOT = Path(__file__).parent.parent
READ = ("README.md", "docs/quick-start.md", "docs/client.md", "docs/messaging.md", "docs/in-process.md")
"""Pages that a reader tries on one server, in the directory that it was started in. The Python of a page is one program
from its first block to its last; every other block stands alone."""

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(block: str) -> Iterator[tuple[str, str]]:
    """(what is typed, what is shown) in a console block; a quote may go on over lines."""
    typed: list[str] = []
    shown: list[str] = []
    for line in block.splitlines():
        if line.startswith("$ "):
            if typed:
                yield "\n".join(typed), "\n".join(shown)
            typed, shown = [line[2:]], []
        elif "\n".join(typed).count("'") % 2:
            typed.append(line)
        else:
            shown.append(line)
    yield "\n".join(typed), "\n".join(shown)


def fits(shown: str, said: str) -> bool:
    """Is this what was said? `...` stands for anything."""
    pattern = ".*".join(re.escape(part) for part in shown.split("..."))
    return re.fullmatch(pattern, said, re.DOTALL) is not None


def talk(server: Server, block: str) -> int:
    """Type the commands of a block and compare what is said; how many there are."""
    count = 0
    for typed, shown in commands(block):
        assert typed.startswith(("curl ", "redis-cli -p 6379 ")), typed
        line = typed.replace("http://127.0.0.1:15500", f"http://127.0.0.1:{server.http_port}")
        line = line.replace("redis-cli -p 6379", f"redis-cli --no-raw -p {server.resp_port}")
        done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=False)
        assert done.returncode == 0, f"{typed}: {done.stderr}"
        said = done.stdout.rstrip("\n")
        assert fits(shown, said), f"{typed}\nshown: {shown}\nsaid:  {said}"
        count += 1
    return count


def type_lines(server: Server, block: str) -> int:
    """Run the lines of a shell block, each with what it says behind ` # `; how many there are."""
    count = 0
    for line in filter(None, block.splitlines()):
        typed, _, shown = line.partition("  # ")
        typed = re.sub(r"^redis-cli ", "redis-cli -p 6379 ", re.sub(r"^curl ", "curl -sf ", typed.rstrip()))
        count += talk(server, f"$ {typed}\n{shown.strip() or '...'}")
    return count


# ---- all pages on one server ----


def blocks_of(page: str) -> list[tuple[str, str]]:
    """(language, text) of the blocks of a page that are tried; its Python, where it is one program, as one."""
    text = re.sub(r"^<!-- (?:run|test) -->.*?^<!-- end -->", "", (ROOT / page).read_text(encoding="utf-8"),
                  flags=re.DOTALL | re.MULTILINE)  # fmt: skip
    found = [(language, block) for language, block in BLOCK.findall(text) if "pip install" not in block]
    assert found and {language for language, _ in found} <= {"bash", "console", "python"}, page
    whole = "\n".join(block for language, block in found if language == "python")
    others = [(language, block) for language, block in found if language != "python"]
    return [*others, ("python", whole)] if whole else others


def attempt(server: Server, language: str, block: str) -> None:
    """Try one block, in the directory that the server was started in."""
    if language == "python":
        speak(block, server.directory.parent, server)
    else:
        count = (talk if language == "console" else type_lines)(server, block)
        assert count > 0


def orders() -> dict[str, list[tuple[str, str]]]:
    """All blocks of the pages, in the orders in which they are tried."""
    forward = [block for page in READ for block in blocks_of(page)]
    mixed = forward.copy()
    random.Random(5).shuffle(mixed)
    return {"forward": forward, "backward, and then forward": forward[::-1] + forward, "mixed": mixed}


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "order", ["forward", "backward, and then forward", pytest.param("mixed", marks=pytest.mark.campaign)]
)
def test_every_block_runs_after_every_other(serve: Callable[..., Any], order: str) -> None:
    """A reader tries README, quick start, client, messaging and in-process beside one server, which has ./data."""
    server: Server = serve(directory="data").start()
    for language, block in orders()[order]:
        attempt(server, language, block)


def test_the_orders_differ() -> None:
    pairs = {name: set(pairwise(blocks)) for name, blocks in orders().items()}
    both = pairs["backward, and then forward"]
    assert len(both - pairs["forward"]) > len(pairs["forward"]) > 8 and pairs["forward"] < both
    assert len(pairs["mixed"] - both) > 5


def test_the_python_of_the_pages_needs_what_is_installed_and_what_they_install() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    brought = {"synap", *(re.split(r"[^\w-]", each)[0].lower() for each in project["dependencies"])}
    for page in (*READ, "docs/kernels.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        installed = set(re.findall(r"^\S*pip install ([\w-]+)$", text, re.MULTILINE))
        code = "\n".join(block for language, block in BLOCK.findall(text) if language == "python")
        used = set(re.findall(r"^\s*(?:import|from) (\w+)", code, re.MULTILINE)) - sys.stdlib_module_names
        assert used <= brought | installed, page
        assert installed <= used, page


def test_the_protocols_page_runs(serve: Callable[..., Any]) -> None:
    """In order, on a server of its own."""
    server: Server = serve().start()
    blocks = BLOCK.findall((ROOT / "docs" / "protocols.md").read_text(encoding="utf-8"))
    assert {language for language, _ in blocks} == {"console", "text"}
    assert sum(talk(server, block) for language, block in blocks if language == "console") > 8


def test_what_fits() -> None:
    assert fits("a...c", "a\nb\nc") and fits("", "") and not fits("a...c", "a.b") and not fits("a", "ab")
    assert list(commands("$ a 'b\nc'\nd\n$ e")) == [("a 'b\nc'", "d"), ("e", "")]


# ---- the README's promises ----

FIGURES = {
    "`resp.py`: GET, SET with 16": ("GET, depth 16, log off, commands/s", "SET, depth 16, log off, commands/s"),
    "`resp.py`: GET, SET one": ("GET, depth 1, log off, commands/s", "SET, depth 1, log off, commands/s"),
    "`queues.py`:": ("publish, consume and ack, fsync always, messages/s",),
    "`streams.py`:": ("read a backlog of 1,000,000 events; nats, events/s",),
    "`web.py`:": ("GET /kv/get/KEY, requests/s",),
    "`fanout.py`:": ("PUBLISH to 100 subscribers, depth 1, deliveries/s",),
}
"""How a row of the README's table begins, and the rows of docs/performance.md that it shows."""


def test_the_figures_of_the_readme_are_those_of_the_performance_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ratios: dict[str, str] = {}
    for line in (ROOT / "docs" / "performance.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) > 6 and re.fullmatch(r"[0-9.]+", cells[5]):
            ratios.setdefault(cells[2], f"{float(cells[5]):.1f}")
    shown = re.findall(r"^\| (`\w+\.py`:.*?) \| ([0-9., ]+) \|$", readme, re.MULTILINE)
    assert len(shown) == len(FIGURES)
    for what, figures in shown:
        rows = next(rows for start, rows in FIGURES.items() if what.startswith(start))
        assert figures == ", ".join(ratios[row] for row in rows), what


def marked(name: str) -> str:
    """The command between the marks of the README that `.ci/run` looks for."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^<!-- {name} -->\n```bash\n(.*?)^```\n<!-- end -->$", readme, re.DOTALL | re.MULTILINE)
    assert len(found) == 1, name
    return str(found[0])


def test_two_commands_suffice() -> None:
    assert re.fullmatch(r"python3 -m venv \.venv && .*\.venv/bin/synap serve\n", marked("run"))
    wanted = marked("test")
    for part in ("tests/install_peers", "-m venv", "--require-hashes -r tests/constraints.txt", "-m pytest"):
        assert part in wanted
    assert wanted.rstrip("\n").count("\n") == wanted.count("&&\n"), "one command, however many lines it has"
    done = subprocess.run(["bash", "-n", "-c", wanted], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert os.access(ROOT / "tests" / "install_peers", os.X_OK)


def test_the_constraints_name_every_package_and_no_address() -> None:
    text = (ROOT / "tests" / "constraints.txt").read_text(encoding="utf-8")
    entries = re.split(r"^(?=[a-z])", text, flags=re.MULTILINE)[1:]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["test"],
              *project["build-system"]["requires"]]  # fmt: skip
    named = {re.split("==", entry)[0] for entry in entries}
    assert {re.split(r"[^\w.-]", each)[0].lower() for each in wanted} <= named
    for entry in entries:
        head, *hashes = entry.splitlines()
        assert re.fullmatch(r"[a-z0-9.-]+==[0-9][\w.]*( ; .+)? \\", head), head
        assert hashes and all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", each) for each in hashes), head
    assert not re.search(r"://|@|index|find-links", text)


# ---- the Python on the pages ----


def shown_by(code: str) -> list[str]:
    """What the code is to print: behind a print (`print(...)  # this`), or for a loop in the comments below it."""
    return [found[1] for found in re.finditer(r"^(?:.*\bprint\(.*\)  )?# (.*)$", code, re.MULTILINE)]


def test_the_python_of_the_kernels_page_prints_what_it_shows(store: Any, tmp_path: Path) -> None:
    found = BLOCK.findall((ROOT / "docs" / "kernels.md").read_text(encoding="utf-8"))
    speak("\n".join(code for language, code in found if language == "python"), tmp_path)


def speak(code: str, directory: Path, server: Server | None = None) -> None:
    """Run this Python in a process of its own; it prints what it shows."""
    environment = dict(os.environ)
    if server is not None:
        code = code.replace("127.0.0.1:6379", f"127.0.0.1:{server.resp_port}")
        environment["SYNAP"] = f"127.0.0.1:{server.http_port}"
    (directory / "page.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-W", "error", "page.py"], cwd=directory, capture_output=True, text=True, timeout=100,
        check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    wanted = shown_by(code)
    assert wanted and done.stdout.splitlines() == wanted

"""What the pages show is what happens: the commands of PAGES are run against a server, in order, and the
Python of the pages in a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.clients import Server
from tests.server.conftest import serve, zygote

__all__ = ["serve", "zygote"]  # fixtures

ROOT = Path(__file__).parent.parent
PAGES = {"protocols": ("console",), "quick-start": ("console", "python"), "messaging": ("console",)}
"""Pages whose commands are run in order, on a server of their own, with the languages of their blocks."""

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


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_run(serve: Callable[..., Any], tmp_path: Path, page: str) -> None:
    server: Server = serve().start()
    blocks = BLOCK.findall((ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8"))
    assert {language for language, _ in blocks} == set(PAGES[page])
    count = 0
    for language, block in blocks:
        if language == "console":
            count += talk(server, block)
        else:
            speak(block, tmp_path, SYNAP=f"127.0.0.1:{server.http_port}")
    assert count > 8


def test_what_fits() -> None:
    assert fits("a...c", "a\nb\nc") and fits("", "") and not fits("a...c", "a.b") and not fits("a", "ab")
    assert list(commands("$ a 'b\nc'\nd\n$ e")) == [("a 'b\nc'", "d"), ("e", "")]


# ---- the Python on the pages ----

PYTHON = ["README.md", "docs/in-process.md", "docs/kernels.md"]


def shown_by(code: str) -> list[str]:
    """What stands behind the prints of a block: `print(...)  # this`, in order."""
    found = [re.search(r"\bprint\(.*\)  # (.*)$", line) for line in code.splitlines()]
    return [match[1] for match in found if match is not None]


@pytest.mark.parametrize("page", PYTHON)
def test_the_python_of_a_page_prints_what_it_shows(store: Any, tmp_path: Path, page: str) -> None:
    """All blocks of a page in one process, in order."""
    found = BLOCK.findall((ROOT / page).read_text(encoding="utf-8"))
    blocks = [code for language, code in found if language == "python"]
    assert blocks
    code = "\n".join(blocks)
    speak(code, tmp_path)


def speak(code: str, directory: Path, **environment: str) -> None:
    """Run this Python in a process of its own; it prints what it shows."""
    (directory / "page.py").write_text(code, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=directory, capture_output=True, text=True, timeout=100, check=False,
        env=os.environ | environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    if wanted := shown_by(code):
        assert done.stdout.splitlines() == wanted


def test_the_python_of_the_client_page_prints_what_it_shows(serve: Callable[..., Any], tmp_path: Path) -> None:
    """What it prints stands behind the print, or for a loop in the comments after it."""
    server: Server = serve().start()
    page = (ROOT / "docs" / "client.md").read_text(encoding="utf-8")
    code = "\n".join(text for language, text in BLOCK.findall(page) if language == "python")
    wanted = [found[1] for found in re.finditer(r"^(?:.*\bprint\(.*\)  )?# (.*)$", code, re.MULTILINE)]
    (tmp_path / "page.py").write_text(code.replace("127.0.0.1:6379", f"127.0.0.1:{server.resp_port}"))
    command = [sys.executable, "-W", "error", "page.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == wanted and len(wanted) > 12

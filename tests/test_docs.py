"""What docs/protocols.md shows is what happens: its commands are run, in order, against a server."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.server.clients import Server
from tests.server.conftest import serve, zygote

__all__ = ["serve", "zygote"]  # fixtures

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "protocols.md"
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


def test_every_block_is_run(serve: Callable[..., Any]) -> None:
    server: Server = serve().start()
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(blocks) > 5 and {language for language, _ in blocks} == {"console"}
    count = 0
    for _, block in blocks:
        for typed, shown in commands(block):
            assert typed.startswith(("curl ", "redis-cli -p 6379 ")), typed
            line = typed.replace("http://127.0.0.1:15500", f"http://127.0.0.1:{server.http_port}")
            line = line.replace("redis-cli -p 6379", f"redis-cli --no-raw -p {server.resp_port}")
            done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, timeout=20, check=False)
            assert done.returncode == 0, f"{typed}: {done.stderr}"
            said = done.stdout.rstrip("\n")
            assert fits(shown, said), f"{typed}\nshown: {shown}\nsaid:  {said}"
            count += 1
    assert count > 20


def test_what_fits() -> None:
    assert fits("a...c", "a\nb\nc") and fits("", "") and not fits("a...c", "a.b") and not fits("a", "ab")
    assert list(commands("$ a 'b\nc'\nd\n$ e")) == [("a 'b\nc'", "d"), ("e", "")]

"""The notebooks run, and what they show is what they print."""

import json
from pathlib import Path

import pytest

from tests.embedded.notebook import code_cells, printed, stored

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))


def test_there_is_one() -> None:
    assert [path.name for path in NOTEBOOKS] == ["kernels.ipynb"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_prints_what_it_shows(store: object, path: Path) -> None:
    cells = code_cells(path)
    assert any(stored(cell) for cell in cells)
    for cell, text in zip(cells, printed(path), strict=True):
        assert text == stored(cell), f"run it again: python -m tests.embedded.notebook {path}"


def test_a_cell_that_fails_is_told(tmp_path: Path) -> None:
    path = tmp_path / "bad.ipynb"
    path.write_text('{"nbformat": 4, "cells": [{"cell_type": "code", "outputs": [], "source": ["1 / 0"]}]}')
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        printed(path)


CELL = """
from synap.compiler.jit import kernel
from synap.kernels.integers import parse_integer
import numpy as np
@kernel
def inner(octets, at, size):
    value, ok = parse_integer(octets, at, size)
    return value + MORE
@kernel("int64(uint8[::1])")
def outer(octets):
    return inner(octets, 0, len(octets))
print(outer(np.frombuffer(b"41", np.uint8).copy()))
"""


def test_a_cell_that_is_changed_is_compiled_again(tmp_path: Path) -> None:
    """Same names, same lines, no file to tell them apart by: in one process and in the next."""
    cells = [{"cell_type": "code", "outputs": [], "source": [CELL.replace("MORE", str(more))]} for more in (1, 2)]
    path = tmp_path / "twice.ipynb"
    for order in (cells, cells[::-1]):
        path.write_text(json.dumps({"nbformat": 4, "cells": order}))
        assert printed(path) == [str(41 + int(cell["source"][0].split("value + ")[1][0])) + "\n" for cell in order]

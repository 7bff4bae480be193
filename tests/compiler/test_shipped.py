"""The kernels that a wheel carries: used where they fit and are undamaged, else compiled here, with one line that says
why."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from synap.compiler.levels import LEVELS, can_ship, host_has
from synap.compiler.ship import ship
from synap.compiler.shipped import FOLDER, MANIFEST, PORTABLE, place_of_kernels
from tests.compiler.programs import run
from tests.compiler.test_jit import TINY, lines

pytestmark = pytest.mark.skipif(bool(can_ship()), reason=can_ship() or "-")

DEEP = TINY.replace("return inner(words, tape)", "return inner(words, tape) + deep(words, tape)").replace(
    "@jit.kernel(", "@jit.outlined\ndef deep(words, at):\n    return words[at] * 100\n\n@jit.kernel("
)
OTHER = """
from synap.compiler import jit

@jit.kernel("int64(int64)")
def twice(n):
    return 2 * n
"""
SHIP = """
from pathlib import Path
from synap.compiler.ship import ship
ship(Path("kernels"), ["x86-64-v2", "x86-64-v3"], ["tiny", "other"])
"""
RUN = """
import ctypes, logging
from pathlib import Path
import numpy as np
from synap.compiler import jit, levels, sources
logging.basicConfig(format="LOG %(message)s")
sources.shipped.directory = Path("kernels").absolute()
import tiny, other
print("missing", *sorted(name.partition(":")[2] for name in jit.missing()))
jit.load()
words = np.arange(1, 9)
door = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 9)(jit.address("tiny:tiny_door"))
print(tiny.read(words, 5), door(words.ctypes.data, words.ctypes.data, 8, 0, 2, 0, 0, 0), other.twice(4))
"""
LEVEL = "print(levels.chosen())\n"
RIGHT = "6 303 8"
ALL, NONE = "missing read tiny_door twice", "missing"
BITCODE = """
import hashlib
from synap.compiler import jit, linking
import tiny
jit.load()
for name, kernel in linking.inner.items():
    for result in kernel.overloads.values():
        print(name, hashlib.sha256(result.library.reduce()[-1]).hexdigest())
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two modules, their shipped kernels for all levels, and the cache of the process that made them."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "tiny.py").write_text(DEEP)
    (folder / "other.py").write_text(OTHER)
    assert run(SHIP, folder) == ([], "")
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path) -> Path:
    """The same folder with an empty cache."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True, ignore=shutil.ignore_patterns("cache", "__pycache__"))
    return tmp_path


def compiled(place: Path) -> list[str]:
    """The functions that this folder's cache holds, as somebody has compiled them."""
    return sorted({path.name.partition("-")[0] for path in (place / "cache").rglob("*.nbc")})


@pytest.mark.parametrize(("environment", "level"), [({}, "x86-64-v3"), ({"NUMBA_ENABLE_AVX": "0"}, "x86-64-v2")])
def test_shipped_kernels_are_loaded(place: Path, environment: dict[str, str], level: str) -> None:
    if not host_has(level):
        level = "x86-64-v2"
    assert run(RUN + LEVEL, place, **environment) == ([NONE, RIGHT, level], "")
    assert compiled(place) == []


def test_kernels_for_other_processors_may_lie_in_the_cache_directory(place: Path) -> None:
    """As `synap warmup --all-tiers` puts them there: a package's own come first."""
    script = RUN.replace('sources.shipped.directory = Path("kernels").absolute()\n', "")
    (place / "cache").mkdir()
    (place / "kernels").rename(place / "cache" / PORTABLE)
    assert run(script, place) == ([NONE, RIGHT], "")
    assert {path.name for path in (place / "cache").iterdir()} <= {PORTABLE, "sources"}, "nothing was compiled"
    assert place_of_kernels(place, None) == place / FOLDER
    assert place_of_kernels(place, place / "cache") == place / "cache" / PORTABLE
    (place / FOLDER).mkdir()
    (place / FOLDER / MANIFEST).touch()
    assert place_of_kernels(place, place / "cache") == place / FOLDER


def test_what_the_front_end_returns_serves_all_levels(made: Path) -> None:
    names = [path.name for path in (made / "cache").rglob("*.nbc")]
    counts = {name: sum(each.startswith(f"{name}-") for each in names) for name in ("inner", "read", "tiny_door")}
    assert counts == {"inner": 1, "read": len(LEVELS), "tiny_door": len(LEVELS)}
    shipped = {path.name.partition("-")[0] for path in (made / "kernels").rglob("*.nbc")}
    assert shipped == {"deep", "read", "tiny_door", "twice"}


def test_the_front_end_knows_no_processor(place: Path) -> None:
    found = []
    for level in LEVELS:
        found.append(run(BITCODE, place, NUMBA_CPU_NAME=level, NUMBA_CPU_FEATURES="")[0])
        shutil.rmtree(place / "cache")
    assert found[0] == found[1] == run(BITCODE, place)[0] and len(found[0]) == 2


class Planted:
    """Makes a file as soon as it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return open, ("unpickled", "w")


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a byte": lambda data: data[:500] + bytes([data[500] ^ 1]) + data[501:],
    "cut": lambda data: data[:-1],
    "another pickle": lambda data: pickle.dumps(Planted()),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_file_that_is_not_the_one_of_the_manifest_is_compiled_here(
    place: Path, damage: Callable[[bytes], bytes]
) -> None:
    for path in (place / "kernels").rglob("read-*"):
        path.write_bytes(damage(path.read_bytes()))
    said, errors = run(RUN, place)
    assert said == ["missing read", RIGHT] and not (place / "unpickled").exists()
    assert len(lines(errors)) == 1 and "is not the file that the manifest describes" in errors
    assert compiled(place) == ["inner", "read"]
    assert run(RUN, place)[0] == [NONE, RIGHT]


def test_a_file_that_is_missing_is_compiled_here(place: Path) -> None:
    for path in (place / "kernels").rglob("twice-*"):
        path.unlink()
    said, errors = run(RUN, place)
    assert said == ["missing twice", RIGHT] and len(lines(errors)) == 1 and "No such file" in errors
    assert compiled(place) == ["twice"]


@pytest.mark.parametrize(("setting", "environment", "reason"), [
    (("numba", "numba 0.1"), {}, "compiled with numba 0.1, and this process has numba "),
    (("python", "Python 3.5"), {}, "compiled with Python 3.5, and this process has Python 3."),
    (("machine", "Linux on sparc"), {}, "compiled with Linux on sparc, and this process has Linux on x86_64"),
    (None, {"SYNAP_JIT_CHECKED": "1"}, "compiled with boundscheck=False, and this process has boundscheck=True"),
    (None, {"NUMBA_OPT": "1"}, "compiled with NUMBA_OPT="),
    (None, {"NUMBA_CPU_NAME": "x86-64-v2"}, "levels of processors, and NUMBA_CPU_NAME is set"),
    (("levels", ["x86-64-v3"]), {"NUMBA_ENABLE_AVX": "0"}, "are for processors of the level x86-64-v3 and higher"),
], ids=lambda value: str(value)[:40])  # fmt: skip
def test_kernels_that_do_not_fit_are_compiled_here(
    place: Path, setting: tuple[str, object] | None, environment: dict[str, str], reason: str
) -> None:
    path = place / "kernels" / MANIFEST
    manifest = json.loads(path.read_bytes())
    if setting is not None:
        (manifest if setting[0] in manifest else manifest["settings"])[setting[0]] = setting[1]
        path.write_text(json.dumps(manifest))
    said, errors = run(RUN, place, **environment)
    assert said == [ALL, RIGHT]
    (line,) = lines(errors)
    assert reason in line and line.endswith("so they are compiled here")
    if setting is None and "NUMBA_OPT" in environment:  # one case shows it for all
        assert run(RUN, place, **environment) == ([NONE, RIGHT], "")  # from the cache, without a line


@pytest.mark.parametrize("text", ["{", '{"settings": 1}'])
def test_a_manifest_that_is_none(place: Path, text: str) -> None:
    (place / "kernels" / MANIFEST).write_text(text)
    said, errors = run(RUN, place)
    assert said == [ALL, RIGHT] and len(lines(errors)) == 1 and f"{MANIFEST} cannot be read" in errors


def test_only_a_module_that_has_changed_is_compiled_here(place: Path) -> None:
    (place / "other.py").write_text(OTHER.replace("2 * n", "n + n"))
    said, errors = run(RUN, place)
    assert said == ["missing twice", RIGHT] and compiled(place) == ["twice"]
    (line,) = lines(errors)
    assert line.startswith("LOG other, or what it imports, has changed since the kernels of this package were compiled")


def test_a_module_of_somebody_else_is_compiled_without_a_line(place: Path) -> None:
    (place / "mine.py").write_text(OTHER)
    said, errors = run(RUN.replace("import tiny, other", "import tiny, other, mine"), place)
    assert said == ["missing twice", RIGHT] and errors == "" and compiled(place) == ["twice"]


def test_kernels_are_shipped_for_known_levels_only(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="x86-64-v9 is none of the levels x86-64-v2, x86-64-v3"):
        ship(tmp_path, ["x86-64-v9"], [])
    assert list(tmp_path.iterdir()) == []

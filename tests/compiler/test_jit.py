"""The cache of compiled kernels: its names change with whatever a kernel is made of, and with nothing else."""

import ctypes
import hashlib
import os
import pickle
import resource
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from synap.compiler import digests, sources
from tests.compiler.programs import run

FILES = {
    "__init__.py": "",
    "kernels/__init__.py": "",
    "kernels/spans.py": "FIRST = 1\ndef move(): ...\n",
    "kernels/numbers.py": "from synap.kernels import spans\ndef parse(): ...\n",
    "store/__init__.py": "",
    "store/layout.py": "WORD = 8\nPAGE = 512 * WORD\nBITS, MASK = 3, (1 << 3) - 1\n",
    "store/lists.py": "from synap.kernels.numbers import parse\nfrom synap.store import layout\n"
                      "def push(): return layout.PAGE\n",
    "store/sets.py": "import synap.kernels.spans\nfrom synap.store.layout import MASK as BITS\n"
                     "def add(): return BITS\n",
    "faults.py": "TEXTS = 1\n",
    "store/sizes.py": "import synap.faults\nTABLE = [1]\n",
    "store/walks.py": "from synap.store.sizes import TABLE\ndef walk(): return TABLE\n",
    "store/apart.py": "import os\ndef alone(): ...\n",
    "store/ring.py": "from . import round\ndef turn(): ...\n",
    "store/round.py": "def late():\n    from synap.store import ring\n",
}

TINY = """
import numpy as np
from numba import carray
from synap.compiler import jit

@jit.kernel
def inner(words, at):
    if at == -7:
        raise ValueError
    return words[at]

@jit.kernel("int64(int64[::1], int64)")
def read(words, at):
    return inner(words, at)

@jit.door
def tiny_door(words_at, octets_at, size, code, tape, now, seq, reply):
    words = carray(words_at, (size,))
    return inner(words, tape)
"""

RUN = """
import ctypes, sys
import numpy as np
from synap.compiler import jit
import tiny
print("missing", len(jit.missing()))
jit.load()
words = np.arange(1, 9)
try:
    print("read", tiny.read(words[:4], 5))
except IndexError:
    print("read IndexError")
door = ctypes.CFUNCTYPE(*[ctypes.c_int64] * 9)(jit.address("tiny:tiny_door"))
at = words.ctypes.data
print("inside", door(at, at, 4, 0, 2, 0, 0, 0))
print("outside", door(at, at, 4, 0, 5, 0, 0, 0))
print("raises", door(at, at, 4, 0, -7, 0, 0, 0))
"""

FILL = """
import json, logging, sys
from synap.compiler import digests, jit, sources, workers
import tiny
logging.basicConfig(format="LOG %(message)s")
told = []
if jit.missing():
    workers.Compilation(jit.missing(), ["tiny"], lambda *step: told.append(step)).run({workers})
spare = sources.entries.spare
print("told", "all" if told and told[0][0] == 0 and told[-1][0] == told[-1][1] else told, "missing", len(jit.missing()))
jit.load()
print("read", tiny.read(__import__("numpy").arange(1, 9), 5), "spare", spare is not None and spare.exists())
"""
MANY, ONE = (FILL.format(workers=workers) for workers in (2, 1))  # a second worker imports and compiles once more

SHARED = """
from synap.compiler import jit

@jit.kernel
def step(n):
    return n * 2 if n > 2 else n

@jit.kernel
def down(n):
    if n <= 0:
        return 0
    return step(n) + down(n - 1)
"""
USER = """
from synap.compiler import jit
import shared

@jit.kernel
def twice(n):
    return 2 * shared.down(n)

@jit.kernel("int64(int64)")
def asked(n):
    return twice(n) + shared.step(n)
"""
CALL = """
from numba.core import event
from synap.compiler import jit
import {module} as used
with event.install_recorder("numba:compile") as recorder:
    jit.load()
compiled = [each.data["dispatcher"].py_func.__name__ for _, each in recorder.buffer if each.is_start]
print(used.asked(4), *sorted(compiled))
"""

PLAIN = """
import numba
import shared
@numba.njit
def asked(n):
    return shared.down(n)
@numba.njit
def both(n):
    return asked(n) + shared.step(n) + shared.down(n)
print(asked(4), both(4))
try:
    shared.step(4)
except TypeError as error:
    print(error)
"""

BORDER = """
import numba, tiny
from synap.compiler import jit
jit.load()
@numba.njit
def asked(words):
    return tiny.read(words, 5)
try:
    asked(__import__("numpy").arange(1, 9))
except TypeError as error:
    print(error)
"""

LONG = """
from synap.compiler import jit

@jit.{decorator}
def stirred(n):
{body}    return n

@jit.kernel("int64(int64)")
def asked(n):
    return stirred(n) + stirred(n + 1) * stirred(n + 2)

jit.load()
(code,) = asked.inspect_asm().values()
labels = [line for line in code.splitlines() if line.startswith("_ZN")]
print(asked(1), any("stirred" in label for label in labels))
"""
STIR = "".join(f"    n = (n * {1_000_003 + 2 * i}) ^ (n >> {1 + i % 9})\n" for i in range(200))

UNTOUCHED = """
import os, numba
def state():
    return {name: repr(value) for name, value in vars(numba.config).items() if name.isupper()}, dict(os.environ)
before = state()
import synap.kernels
import synap.compiler.jit, synap.kernels.integers, synap.kernels.reals, synap.kernels.globs, synap.kernels.hashing
assert state() == before
@numba.njit(cache=False)
def own(x):
    return x + 1
assert own(1) == 2
from numba.core.caching import CompileResultCacheImpl
assert not any("synap" in (locator.__module__ or "") for locator in CompileResultCacheImpl._locator_classes)
print("untouched")
"""


def forget() -> None:
    digests.digest.cache_clear()
    digests.is_as_imported.cache_clear()
    sources.facts.cache_clear()
    sources.constants.cache_clear()


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A small package in the place of ours."""
    root = tmp_path / "synap"
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    monkeypatch.setattr(sources, "ROOT", root)
    monkeypatch.setattr(sources.entries, "directory", tmp_path / "cache")
    forget()
    yield root
    monkeypatch.undo()
    forget()


def names_now() -> dict[str, str]:
    forget()
    names = [name.removesuffix(".py").replace("/", ".") for name in FILES if not name.endswith("__init__.py")]
    return {name: digests.digest(f"synap.{name}") for name in names}


def changed(before: dict[str, str]) -> set[str]:
    return {name for name, digest in names_now().items() if digest != before[name]}


@pytest.mark.parametrize(("file", "wanted"), [
    ("kernels/spans.py", {"kernels.spans", "kernels.numbers", "store.lists", "store.sets"}),
    ("kernels/numbers.py", {"kernels.numbers", "store.lists"}),
    ("store/apart.py", {"store.apart"}),
    ("faults.py", {"faults", "store.sizes", "store.walks"}),  # a list counts with all that it may come from
    ("store/ring.py", {"store.ring", "store.round"}),
    ("store/round.py", {"store.ring", "store.round"}),
])  # fmt: skip
def test_a_digest_changes_with_what_is_imported(package: Path, file: str, wanted: set[str]) -> None:
    before = names_now()
    assert names_now() == before and len(set(before.values())) >= len(before) - 1  # ring and round hold the same files
    path = package / file
    path.write_text(path.read_text() + "# changed\n")
    assert changed(before) == wanted
    path.write_text(path.read_text().removesuffix("# changed\n"))
    assert changed(before) == set()


@pytest.mark.parametrize(("text", "wanted"), [
    ("WORD = 8  # bytes\nPAGE = 512 * WORD\nBITS, MASK = 3, (1 << 3) - 1\nMORE = 7\n", set()),
    ("WORD = 4\nPAGE = 1024 * WORD\nBITS, MASK = 3, 7\n", set()),
    ("WORD = 8\nPAGE = 256 * WORD\nBITS, MASK = 3, 7\n", {"store.lists"}),
    ("WORD = 8\nPAGE = 512 * WORD\nBITS, MASK = 4, 15\n", {"store.sets"}),
    ("WORD = 8\nPAGE = 512 * WORD\nBITS = 3\n", {"store.sets"}),
    ("WORD = 8\nPAGE = [4096]\nBITS, MASK = 3, 7\n", {"store.lists"}),
    ("WORD = 8\nPAGE = 512 * WORD\nBITS, MASK = 3, 7\ndef size(): ...\n", {"store.lists", "store.sets"}),
])  # fmt: skip
def test_of_data_only_what_is_used_counts(package: Path, text: str, wanted: set[str]) -> None:
    before = names_now()
    (package / "store" / "layout.py").write_text(text)
    assert changed(before) - {"store.layout"} == wanted


def test_a_new_file_elsewhere_changes_nothing(package: Path) -> None:
    before = names_now()
    (package / "store" / "more.py").write_text("from synap.store import lists\n")
    (package / "store" / "lists.py").touch()
    assert changed(before) == set()


@pytest.mark.parametrize("option", ["boundscheck", "nogil", "error_model"])
def test_options_are_part_of_it(package: Path, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    before = names_now()
    monkeypatch.setitem(digests.OPTIONS, option, "other")
    assert changed(before) == set(before)


@pytest.mark.parametrize("library", ["numba", "llvmlite"])
def test_versions_are_part_of_it(package: Path, monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    before = names_now()
    monkeypatch.setattr(getattr(digests, library), "__version__", "0.0.0")
    assert changed(before) == set(before)


def test_a_checked_run_checks_after_an_unchecked_one(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(TINY)
    fresh, errors = run(RUN, tmp_path)
    assert fresh == ["missing 2", "read 6", "inside 3", "outside 6", "raises 0"]  # 0 is BROKEN
    assert "ValueError" in errors
    checked, errors = run(RUN, tmp_path, SYNAP_JIT_CHECKED="1")
    assert checked == ["missing 2", "read IndexError", "inside 3", "outside 0", "raises 0"]
    assert "IndexError" in errors
    assert run(RUN, tmp_path)[0] == ["missing 0", *fresh[1:]]
    (tmp_path / "tiny.py").write_text(TINY.replace("return words[at]", "return words[at] + 10"))
    assert run(RUN, tmp_path)[0] == ["missing 2", "read 16", "inside 13", "outside 16", "raises 0"]


@pytest.mark.parametrize("how", ["replaced", "rewritten"])
def test_files_that_change_after_the_import(tmp_path: Path, how: str) -> None:
    """An upgrade under a running process: it runs what it imported, and files nothing under the new text's name."""
    (tmp_path / "tiny.py").write_text(TINY)
    new = TINY.replace("return words[at]", "return words[at] + 10")
    (tmp_path / "new.py").write_text(new)
    change = {
        "replaced": "os.replace('new.py', 'tiny.py')",
        "rewritten": "pathlib.Path('tiny.py').write_text(pathlib.Path('new.py').read_text())",
    }[how]
    late = RUN.replace("import tiny\n", f"import tiny, os, pathlib\n{change}\n")
    for _ in range(2):
        assert run(late, tmp_path)[0] == ["missing 2", "read 6", "inside 3", "outside 6", "raises 0"]
        assert list((tmp_path / "cache").rglob("*.nbc")) == []
        (tmp_path / "tiny.py").write_text(TINY)
        (tmp_path / "new.py").write_text(new)
    (tmp_path / "tiny.py").write_text(new)
    for missing in (2, 0):
        assert run(RUN, tmp_path)[0] == [f"missing {missing}", "read 16", "inside 13", "outside 16", "raises 0"]
    assert run(late, tmp_path)[0][0] == "missing 2"  # nor does it take what another process has filed


def test_inner_functions_are_compiled_once_for_all(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text(SHARED)
    (tmp_path / "user.py").write_text(USER)
    (tmp_path / "other.py").write_text(USER.replace("2 *", "3 *"))
    assert run(CALL.format(module="user"), tmp_path)[0] == ["42 asked down step twice"]
    assert run(CALL.format(module="user"), tmp_path)[0] == ["42"]
    assert run(CALL.format(module="other"), tmp_path)[0] == ["59 asked twice"]
    (tmp_path / "user.py").write_text(USER.replace("2 *", "4 *"))
    assert run(CALL.format(module="user"), tmp_path)[0] == ["76 asked twice"]
    for path in (tmp_path / "cache").rglob("down-*"):  # an entry that is lost, one that is damaged
        path.unlink()
    for path in (tmp_path / "cache").rglob("step-*"):
        path.write_bytes(b"")
    (tmp_path / "other.py").write_text(USER.replace("2 *", "5 *"))
    assert run(CALL.format(module="other"), tmp_path)[0] == ["93 asked down step twice"]


def test_a_plain_numba_function_calls_inner_functions_and_python_is_told_not_to(tmp_path: Path) -> None:
    (tmp_path / "shared.py").write_text(SHARED)
    for _ in range(2):  # compiled, and out of the cache
        assert run(PLAIN, tmp_path)[0] == [
            "17 42",
            "step() is an inner kernel: call it in a function compiled by numba.njit or synap.compiler.jit.kernel",
        ]


def test_compiled_code_calls_no_border_function(tmp_path: Path) -> None:
    """Its code is kept without the form that could be linked into a caller, so it must not depend on the cache."""
    (tmp_path / "tiny.py").write_text(TINY)
    for _ in range(2):  # compiled, and out of the cache
        (line,) = run(BORDER, tmp_path)[0]
        assert line.endswith("is called by its address or from Python, not from compiled code: see jit.kernel")


def test_a_text_is_parsed_once(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a file imports and uses is kept on disk; a damaged note and a new text are parsed."""
    parsed: list[str] = []
    parse = sources._parse
    monkeypatch.setattr(sources, "_parse", lambda text, module: (parsed.append(module), parse(text, module))[1])
    before = names_now()
    count = len(parsed)
    assert count > 5 and names_now() == before and len(parsed) == count
    (package / "store/apart.py").write_text("import os\ndef together(): ...\n")
    assert changed(before) == {"store.apart"} and parsed[count:] == ["synap.store.apart"]
    directory = sources.entries.directory
    assert directory is not None
    for path in (directory / "sources").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    monkeypatch.setattr(sources.entries, "_tell", lambda kind, line: None)
    after = names_now()
    assert len(parsed) == 2 * count + 1 and after == names_now()


def test_a_function_of_any_length_is_inlined_if_it_says_so(tmp_path: Path) -> None:
    found = {name: run_file(LONG.format(decorator=name, body=STIR), tmp_path / name) for name in ("kernel", "inlined")}
    (called, has_code), (inlined, has_none) = found["kernel"].split(), found["inlined"].split()
    assert (has_code, has_none) == ("True", "False") and called == inlined


def run_file(text: str, folder: Path) -> str:
    """The last line that a file of its own says, in a process of its own."""
    folder.mkdir()
    (folder / "long.py").write_text(text)
    return run("import long", folder)[0][-1]


def test_numba_stays_as_it_was(tmp_path: Path) -> None:
    assert run(UNTOUCHED, tmp_path, fresh=True)[0] == ["untouched"]


FRESH = ["told all missing 0", "read 6 spare False"]
WARM = ["told [] missing 0", "read 6 spare False"]


def lines(errors: str) -> list[str]:
    return [line for line in errors.splitlines() if line.startswith("LOG")]


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "temporary").mkdir()
    return tmp_path


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache that holds the functions of `tiny`, to copy."""
    folder = tmp_path_factory.mktemp("filled")
    (folder / "tiny.py").write_text(TINY)
    assert run(ONE, folder) == (FRESH, "")
    return folder / "cache"


@pytest.fixture
def warm(tiny: Path, filled: Path) -> Path:
    """The same folder as `tiny`, beside a cache that holds everything."""
    shutil.copytree(filled, tiny / "cache")
    return tiny


def test_workers_fill_a_cold_cache(tiny: Path) -> None:
    for wanted in (FRESH, WARM):
        said, errors = run(MANY, tiny, TMPDIR=str(tiny / "temporary"))
        assert (said, errors) == (wanted, "")
        assert list((tiny / "temporary").iterdir()) == []


def sealed(value: object) -> bytes:
    """An entry whose checksum is right, with something else in it."""
    content = pickle.dumps(value)
    return hashlib.blake2b(content, digest_size=16).digest() + content


class Trap:
    """Raises what `pickle.load` of an entry of another version may."""

    def __reduce__(self) -> tuple[object, ...]:
        return __import__, ("a_module_that_is_gone",)


@pytest.mark.parametrize("damage", [
    lambda data: data[: len(data) // 2] + bytes(64) + data[len(data) // 2 + 64 :],
    lambda data: pickle.dumps(42),
], ids=["zeros", "another pickle"])  # fmt: skip
def test_a_damaged_entry_is_missing_and_made_again(warm: Path, damage: Callable[[bytes], bytes]) -> None:
    for path in (warm / "cache").rglob("*.nbc"):
        path.write_bytes(damage(path.read_bytes()))
    said, errors = run(ONE, warm)
    assert said == FRESH and len(lines(errors)) == 1 and "damaged" in errors
    assert run(ONE, warm) == (WARM, "")


@pytest.mark.parametrize("value", [42, (1, 2, 3, 4), Trap()], ids=lambda value: type(value).__name__)
def test_an_entry_that_holds_something_else_is_made_again(warm: Path, value: object) -> None:
    for path in (warm / "cache").rglob("*.nbc"):
        path.write_bytes(sealed(value))
    said, errors = run(ONE, warm)
    assert said == WARM and len(lines(errors)) == 1 and "damaged" in errors and "Traceback" not in errors
    assert run(ONE, warm) == (WARM, "")


@pytest.mark.parametrize("environment", [
    {"SYNAP_CACHE_DIR": "/dev/null/cache"}, {"SYNAP_CACHE_DIR": "", "HOME": "/proc/nonexistent"},
], ids=str)  # fmt: skip
def test_a_directory_that_cannot_be_made(tiny: Path, environment: dict[str, str]) -> None:
    temporary = {"TMPDIR": str(tiny / "temporary")}
    for code in (MANY, ONE):
        said, errors = run(code, tiny, **(environment | temporary))
        assert said == FRESH and len(lines(errors)) == 1 and "cannot write" in errors
        assert list((tiny / "temporary").iterdir()) == []


def no_space() -> None:
    """No file may be larger than this, as on a disk that is full: entries cannot be written anywhere."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))


def test_a_full_disk(tiny: Path) -> None:
    said, errors = run(MANY, tiny, no_space, TMPDIR=str(tiny / "temporary"))
    assert said == ["told all missing 2", "read 6 spare False"]
    assert [line for line in lines(errors) if "cannot write to " + str(tiny / "cache") in line]
    assert list((tiny / "cache").rglob("*.nbc*")) == []  # nothing is left half written
    assert run(ONE, tiny) == (FRESH, "")


PR_SET_SECUREBITS, SECBIT_NOROOT = 28, 1


def forbid(path: Path) -> Callable[[], None] | None:
    """Take the right to write below `path`; what a process must do first so that this holds for it."""
    for each in [path, *path.rglob("*")]:
        each.chmod(0o555 if each.is_dir() else 0o444)
    if os.getuid() != 0:
        return None

    def lose_powers() -> None:  # root may write anywhere, by a capability that it can give up
        ctypes.CDLL(None).prctl(PR_SET_SECUREBITS, SECBIT_NOROOT, 0, 0, 0)  # nor does exec give it back
        header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # _LINUX_CAPABILITY_VERSION_3, this process
        ctypes.CDLL(None).capset(header, (ctypes.c_uint32 * 6)())

    return lose_powers


def allow(path: Path) -> None:
    for each in [path, *path.rglob("*")]:
        each.chmod(0o755 if each.is_dir() else 0o644)


def test_a_warm_cache_that_is_read_only(warm: Path) -> None:
    before = forbid(warm / "cache")
    try:
        assert run(ONE, warm, before) == (WARM, "")
        allow(warm / "cache")
        one = next((warm / "cache").rglob("read-*"))
        one.unlink()
        before = forbid(warm / "cache")
        for _ in range(2):
            said, errors = run(ONE, warm, before)
            assert said == ["told all missing 0", "read 6 spare False"]
            assert len(lines(errors)) == 1 and "Permission denied" in errors
    finally:
        allow(warm / "cache")


def test_a_place_is_resolved_once(tiny: Path) -> None:
    said, _ = run("import os, synap.compiler.jit\nos.chdir('/')\n" + ONE, tiny, SYNAP_CACHE_DIR="cache")
    assert said == FRESH
    assert run(ONE, tiny) == (WARM, "")


def test_what_numba_is_told_is_part_of_it(warm: Path) -> None:
    assert run(ONE, warm, NUMBA_BOUNDSCHECK="1")[0] == FRESH
    assert run(ONE, warm) == (WARM, "")


def test_without_a_compiler_one_line(tiny: Path) -> None:
    code = "try:\n    import synap.compiler.jit\nexcept RuntimeError as error:\n    print(error)"
    ((line,), errors) = run(code, tiny, NUMBA_DISABLE_JIT="1")
    assert "NUMBA_DISABLE_JIT" in line and not errors

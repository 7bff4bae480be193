"""Kernels with machine code of their own, and what all kernels may rely on whatever compiles them first."""

from pathlib import Path

from tests.compiler.programs import run

APART = """
import numpy as np
from synap.compiler import jit

@jit.kernel
def small(n):
    return n + 1

@jit.outlined
def inside(n):
    return 3 * small(n)

@jit.outlined(arrays=True)
def long(n):
    places = np.zeros(4, np.int64)
    for i in range(n):
        places[i & 3] += inside(i)
    return places[0] + 10 * places[1]

@jit.outlined
def falling(n):
    return 1 if n <= 0 else falling(n - 1) + small(n)
"""
USER = """
from synap.compiler import jit
import apart

@jit.kernel("int64(int64)")
def asked(n):
    return apart.long(n) + apart.inside(n) + apart.falling(n)

@jit.kernel("int64(int64)")
def also(n):
    return apart.inside(n) - 1
"""
CALL = """
from numba.core import event
from synap.compiler import jit, linking
import user
built = []
finalize = linking.Outlined._join
linking.Outlined._join = lambda self, kernels: (built.append(self.name), finalize(self, kernels))[1]
jit.load()
print(user.asked(5), user.also(5), *sorted(name.rpartition(".")[2] for name in built))
"""
PLAIN = """
import numba
import apart
@numba.njit
def plain(n):
    return apart.long(n) + apart.falling(n)
print(plain(5))
"""
CONSTANTS = """
from numba.core import event
from synap.compiler import jit

@jit.kernel
def times(n, by):
    return n * by if n else by

@jit.kernel("int64(int64)")
def asked(n):
    return times(n, 2) + times(n, 3) + times(4, n) + times(5, 6) + times(n, by=7)

with event.install_recorder("numba:compile") as recorder:
    jit.load()
names = [each.data["dispatcher"].py_func.__name__ for _, each in recorder.buffer if each.is_start]
print(asked(10), names.count("times"))
"""
WRAPPING = """
from synap.compiler import jit

@jit.kernel
def spread(n):
    return n * 0x4F2D3A9B1C6E7715

@jit.kernel
def above(n):
    return n + 1 > n

@jit.kernel("int64(int64)")
def asked(n):
    return spread(n)

@jit.kernel("int64(int64)")
def constant(n):
    return spread(16) + n

@jit.kernel("boolean(int64)")
def greater(n):
    return above(n)

jit.load()
print(asked(16) == constant(0) == (16 * 0x4F2D3A9B1C6E7715 + 2**63) % 2**64 - 2**63, greater(2**63 - 1))
"""
ORDER = """
import sys
from synap.compiler import jit

@jit.kernel
def shared(n):
    total = n
    for i in range(n):
        total += i * total
    return total

@jit.inlined
def forced(n):
    return shared(n) + 1

@jit.kernel("int64(int64)")
def first(n):
    return forced(n)

@jit.kernel("int64(int64)")
def second(n):
    return shared(n)

jit.load([f"{__name__}:{name}" for name in sys.argv[1].split(",")])
print(*[getattr(sys.modules[__name__], name)(4) for name in sys.argv[1].split(",")])
"""


def test_a_long_kernel_is_compiled_once_for_all_that_call_it(tmp_path: Path) -> None:
    (tmp_path / "apart.py").write_text(APART)
    (tmp_path / "user.py").write_text(USER)
    assert run(CALL, tmp_path)[0] == ["117 17 falling inside long"]
    assert run(CALL, tmp_path)[0] == ["117 17"], "all are in the cache"
    for path in (tmp_path / "cache").rglob("inside-*-outlined.*"):  # one that is lost is made again
        path.unlink()
    for path in (tmp_path / "cache").rglob("long-*-outlined.*"):
        path.write_bytes(path.read_bytes()[:-1])
    assert run(CALL, tmp_path)[0] == ["117 17 inside long"]


def test_a_plain_numba_function_takes_in_what_others_call(tmp_path: Path) -> None:
    (tmp_path / "apart.py").write_text(APART)
    for _ in range(2):  # compiled, and out of the cache
        assert run(PLAIN, tmp_path)[0] == ["99"]


def test_constants_compile_no_kernel_again(tmp_path: Path) -> None:
    (tmp_path / "once.py").write_text(CONSTANTS)
    assert run("import once", tmp_path)[0] == ["190 1"]


def test_integers_wrap_around_whatever_is_inlined(tmp_path: Path) -> None:
    (tmp_path / "wraps.py").write_text(WRAPPING)
    assert run("import wraps", tmp_path)[0] == ["True False"]


def test_a_kernel_does_not_depend_on_who_compiles_it_first(tmp_path: Path) -> None:
    """An inlined kernel forces no callee of its own to be inlined: then an entry would depend on the order."""
    (tmp_path / "order.py").write_text(ORDER)
    for names, said in (("first", "97"), ("second", "96"), ("second,first", "96 97")):
        assert run(f"import sys; sys.argv[1:] = ['{names}']; import order", tmp_path)[0] == [said]

"""The decorators that compile kernels, and the registry of the functions that Python calls.

Kinds of function that are compiled, all with the options that are set in `digests`:

    @kernel             an inner kernel: linked into its callers (also into a plain `numba.njit` function),
                        never called from Python
    @inlined            an inner kernel that is always inlined
    @outlined           an inner kernel that is compiled once and called by all others, see `linking`
    @kernel(signature)  a border function: called from Python, cached on disk, compiled by `load()`
    @door               the entry point of a family, a C function called by its address; cached on disk
    @kind_door          the same for a kind, whose callers ask about one of its records
    @c_function(sig)    a C function that a library calls back; cached on disk

numba's own cache looks only at the age of one source file, so it would load old code after a change of a kernel in
another file, or of an option such as bounds checking. The functions decorated here have a cache whose entries are named
by all that their code depends on (`digests`, `cached`); numba's settings stay as the importing program has set them.

Compiling is lazy: importing a module compiles nothing. `load()` compiles the registered functions, or loads them from
the cache, and `workers.Compilation` fills a cold cache from several processes.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numba
from numba import types
from numba.core.ccallback import CFunc
from numba.core.compiler import Compiler

from synap.compiler import linking, sources
from synap.compiler.cached import Cache, InnerCache, OutlinedCache
from synap.compiler.digests import OPTIONS
from synap.compiler.linking import name_of
from synap.compiler.pipelines import CompleteCompiler, InnerCompiler, InnerDispatcher


class NoCompiler(RuntimeError):
    """The error that this process cannot compile kernels, with the reason as its text."""


if numba.config.DISABLE_JIT:
    raise NoCompiler("NUMBA_DISABLE_JIT is set, and kernels run compiled or not at all: unset it")

DOOR = types.int64(
    types.CPointer(types.int64), types.CPointer(types.uint8), types.int64, types.int64, types.int64,
    types.int64, types.int64, types.int64,
)
"""Signature of a door: words*, octets*, words in the heap, code, tape, now, seq, reply -> status."""

KIND_DOOR = types.int64(
    types.CPointer(types.int64), types.CPointer(types.uint8), types.int64, types.CPointer(types.int64), types.int64,
    types.int64, types.int64, types.int64, types.int64,
)
"""Signature of the door of a kind: words*, octets*, words in the heap, notes*, question, ref, three more arguments."""

_border: dict[str, tuple[Any, Any]] = {}
_doors: dict[str, Any] = {}


def kernel(target: Any) -> Any:
    """Compile a function as an inner kernel, or with a signature as a border function."""
    if callable(target) and not isinstance(target, types.Type) and not hasattr(target, "return_type"):
        return _inner_kernel(target)

    def border(function: Callable[..., Any]) -> Any:
        if sources.file_of(function.__module__) is None:  # a notebook: nothing is cached, so compile now
            fresh = numba.njit(no_cfunc_wrapper=True, pipeline_class=CompleteCompiler, **OPTIONS)(function)
            fresh.compile(tuple(signature[0]))
            fresh.disable_compile()
            return fresh
        dispatcher = numba.njit(no_cfunc_wrapper=True, pipeline_class=CompleteCompiler, **OPTIONS)(function)
        dispatcher._cache = Cache(function)
        _border[name_of(function)] = (dispatcher, signature)
        return dispatcher

    signature = numba.core.sigutils.normalize_signature(target)
    return border


def inlined(target: Callable[..., Any]) -> Any:
    """Compile a function as an inner kernel that is always inlined into its callers.

    For a short function in front of longer ones, as rows share them. An array is passed as seven words, so calls are
    dear; LLVM saves the space and calls such a function once it has many callers.
    """
    return _inner_kernel(target, forceinline=True)


def outlined(target: Any = None, *, arrays: bool = False) -> Any:
    """Compile a function as an inner kernel with machine code of its own, which all others call.

    For a long function that many others reach and that runs rarely. A call costs a few ns more than one inside a door.
    `arrays`: the function makes arrays (`np.empty`), which the other kernels of this package may not.
    """
    if target is None:
        return partial(outlined, arrays=arrays)
    kernel = _inner_kernel(target, **({"_nrt": True} if arrays else {}))
    linking.outlined[name_of(target)] = OutlinedCache(target)
    return kernel


def _options(function: Callable[..., Any]) -> dict[str, Any]:
    """Return the options of an inner kernel or a door. Those of this package count no references, as none owns an
    array: their arrays are views of what a border function or the caller of a door keeps alive."""
    return OPTIONS | {"_nrt": not function.__module__.startswith(sources.PACKAGE + ".")}


def _inner_kernel(target: Any, **more: Any) -> Any:
    compiler = Compiler if target.__closure__ else InnerCompiler
    options = _options(target) | more
    inner = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=compiler, **options)(target)
    inner.__class__ = InnerDispatcher
    if not target.__closure__:
        if sources.file_of(target.__module__) is not None:  # else a notebook: there is no file to name a cache entry by
            inner._cache = InnerCache(target)
        linking.inner[name_of(target)] = inner
    return inner


def door(function: Callable[..., Any]) -> Any:
    """Compile the entry point of a family as a C function, so that callers know only its address."""
    return _door(function, DOOR)


def kind_door(function: Callable[..., Any]) -> Any:
    """Compile the entry point of a kind as a C function, so that callers know only its address."""
    return _door(function, KIND_DOOR)


def c_function(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Compile a function that a library calls back as a C function of this signature."""
    return partial(_door, signature=signature)


def _door(function: Callable[..., Any], signature: Any) -> Any:
    compiled: Any = CFunc(
        function, (tuple(signature.args), signature.return_type), locals={}, options=_options(function),
        pipeline_class=CompleteCompiler,
    )  # fmt: skip
    compiled._cache = Cache(function)
    _doors[name_of(function)] = compiled
    return compiled


def registered() -> list[str]:
    """Return `module:function` of every door and border function: doors first, each in order of definition."""
    return [*_doors, *_border]


def registered_in(modules: Iterable[str]) -> list[str]:
    """Return the registered functions of these modules, in the order of the modules."""
    names: dict[str, list[str]] = {}
    for name in registered():
        names.setdefault(name.partition(":")[0], []).append(name)
    return [name for module in modules for name in names.get(module, ())]


def missing_kernels() -> int:
    """Return how many inner kernels the cache does not hold in any type; some of them may never be needed."""
    return sum(not each._cache.holds_any() for each in linking.inner.values() if isinstance(each._cache, InnerCache))


def missing() -> list[str]:
    """Return the names of the registered functions that are neither loaded nor in the cache."""
    names = []
    for name in registered():
        if not _is_loaded(name):
            cache, signature, context = place(name)
            if not cache.holds(signature, context):
                names.append(name)
    return names


def _is_loaded(name: str) -> bool:
    return _doors[name].address is not None if name in _doors else bool(_border[name][0].overloads)


def place(name: str) -> tuple[Cache, Any, Any]:
    """Return the cache of a registered function, and the types and numba's target context that name its entry."""
    if name in _doors:
        cfunc = _doors[name]
        return cfunc._cache, cfunc._sig, cfunc._targetdescr.target_context
    dispatcher, (args, _) = _border[name]
    return dispatcher._cache, tuple(args), dispatcher.targetctx


def compile_one(name: str) -> None:
    """Compile one registered function, or load it from the cache."""
    if _is_loaded(name):
        return
    if name in _doors:
        _doors[name].compile()
        return
    dispatcher, (args, _) = _border[name]
    dispatcher.compile(tuple(args))
    dispatcher.disable_compile()


def load(names: Iterable[str] | None = None) -> None:
    """Compile every registered function (or `names`), or load it from the cache."""
    for name in names if names is not None else registered():
        compile_one(name)
    if names is None:
        sources.entries.close_spare()


def address(name: str) -> int:
    """Return the address of a door's compiled code, or 0 before it is loaded."""
    return int(_doors[name].address or 0) if name in _doors else 0

"""The decorators that compile kernels, the options of numba, and the names of entries in the kernel cache.

Four kinds of function are compiled, all with the options that are set in this file:

    @kernel             an inner kernel: linked into its callers (also into a plain `numba.njit` function),
                        never called from Python
    @inlined            an inner kernel that is always inlined
    @kernel(signature)  a border function: called from Python, cached on disk, compiled by `load()`
    @door               the entry point of a family, a C function called by its address; cached on disk
    @kind_door          the same for a kind, whose callers ask about one of its records

The cache. numba's own cache looks only at the age of one source file, so it would load old code after a change of a
kernel in another file, or of an option such as bounds checking. The cache of this file names each entry by a digest of
everything that the code depends on: the text of the function's module and of every `synap` module with functions that
it imports (transitively), the constants that these use of modules without any functions, the options, the versions of
numba and llvmlite. So stale code cannot be loaded, editing one family recompiles that family and no other, and a
constant that is added or changed recompiles only its users. The processor, Python's version and the types are part of
the file name. There is one file for each function in each of its types, so processes that write at the same time use
different files. Inner kernels are cached too, as numba's front end returns them: after an edit only the functions of
the edited file, and of files that import it, go through the front end again (see `linking`). Only functions decorated
here use the directory; numba's settings stay as the importing program has set them. Any failure with an entry is a miss
(see `entries`). A process whose source files were replaced after it imported them (by an upgrade or an editor) does not
use the directory: it runs the code that it has imported, and would store that code under the name of the new text.

Compiling is lazy: importing a module compiles nothing. `load()` compiles the registered functions, or loads them from
the cache, and `workers.compile_missing()` fills a cold cache from several processes.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import llvmlite
import numba
from numba import types
from numba.core import caching
from numba.core.ccallback import CFunc
from numba.core.compiler import Compiler, CompileResult, compile_result
from numba.core.registry import CPUDispatcher
from numba.core.serialize import dumps

from synap.compiler import linking, sources


class NoCompiler(RuntimeError):
    """The error that this process cannot compile kernels, with the reason as its text."""


if numba.config.DISABLE_JIT:
    raise NoCompiler("NUMBA_DISABLE_JIT is set, and kernels run compiled or not at all: unset it")

CHECKED = os.environ.get("SYNAP_JIT_CHECKED", "") == "1"
"""Compile with bounds checks: for tests and fuzzing, several times slower."""

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "boundscheck": CHECKED}
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

_CODE_SETTINGS = ("BOUNDSCHECK", "OPT", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "DISABLE_INTEL_SVML")
"""Settings of numba, given by NUMBA_... in the environment, that change the code of every function."""

_imported: dict[str, tuple[int, int, int]] = {}  # path -> state of the file when its module was imported
_noted: set[str] = set()  # names of the modules in `_imported`
_border: dict[str, tuple[Any, Any]] = {}
_doors: dict[str, Any] = {}


def _state(path: str) -> tuple[int, int, int]:
    """Return facts that change with the text of a file: time of modification (ns), size (bytes), inode number."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0, 0
    return found.st_mtime_ns, found.st_size, found.st_ino


def _note_imports(module: str) -> None:
    """Note the file states of all modules imported so far, as `module`, still being imported, defines a function."""
    for name, found in list(sys.modules.items()):
        if name not in _noted and (name == module or name.startswith(sources.PACKAGE + ".")):
            _noted.add(name)
            path = getattr(found, "__file__", None)
            if path:
                path = os.path.realpath(path)
                _imported[path] = _state(path)


@cache
def digest(module: str) -> str:
    """Return a name for everything that a function of `module` may compile in, options and versions included.

    The digest covers the text of every file with functions, and of a file of data (`layout.py`) the values that are
    used.
    """
    parts: set[str] = set()
    for name in sources.closure(module):
        source = sources.facts(name)
        if source.path and (name == module or not source.is_data):
            parts.add(source.digest)
            data = {place for place, _ in source.uses if sources.facts(place).path and sources.facts(place).is_data}
            parts |= {sources.constant(*use) for use in source.uses if use[0] in data}
    parts |= {repr(sorted(_OPTIONS.items())), f"numba {numba.__version__}", f"llvmlite {llvmlite.__version__}"}
    parts |= {f"{name}={getattr(numba.config, name, None)}" for name in _CODE_SETTINGS}
    return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:24]


@cache
def is_as_imported(module: str) -> bool:
    """Return True if the files that `digest` names still have the text that this process has imported."""
    digest(module)  # reads the files
    paths = {os.path.realpath(sources.facts(name).path) for name in sources.closure(module)}
    return all(_imported[path] == _state(path) for path in paths if path in _imported)


class _Cache(caching._Cache):
    """The cache of one function: one file for each signature, in the folder of its module's digest."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._module = function.__module__
        if self._module not in _noted:
            _note_imports(self._module)
        self._name = f"{function.__qualname__}-{function.__code__.co_firstlineno}"

    @property
    def cache_path(self) -> str:
        return str(sources.entries.directory)

    def _entry(self, signature: Any, context: Any) -> str:
        key = repr((signature, context.codegen().magic_tuple(), sys.version_info[:2]))
        return f"{digest(self._module)}/{self._name}.{hashlib.sha256(key.encode()).hexdigest()[:16]}.nbc"

    def holds(self, signature: Any, context: Any) -> bool:
        """Return True if the cache holds this function, compiled and undamaged."""
        context.refresh()
        return is_as_imported(self._module) and sources.entries.read(self._entry(signature, context)) is not None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        target_context.refresh()
        if not is_as_imported(self._module):
            return None
        name = self._entry(sig, target_context)
        content = sources.entries.read(name)
        if content is None:
            return None
        try:
            return self._rebuild(target_context, pickle.loads(content))
        except Exception as error:  # another program may have written anything, even with a valid checksum
            sources.entries.damaged(name, f"{type(error).__name__}: {error}")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if is_as_imported(self._module):
            sources.entries.write(self._entry(sig, data.target_context), dumps(self._reduce(data)))

    def _reduce(self, data: Any) -> Any:
        environments = tuple(data._find_referenced_environments())
        data.fndesc.typemap = data.fndesc.calltypes = None  # not needed again, and large
        return data.library.reduce(), data.fndesc, data.environment, data.signature, environments

    def _rebuild(self, context: Any, payload: Any) -> Any:
        code, description, environment, signature, environments = payload
        library = linking.restore(context.codegen(), *code)
        for each in environments:
            context.codegen().set_env(each.env_name, each)
        return _result(context, library, description, environment, signature, environments)

    def enable(self) -> None: ...
    def disable(self) -> None: ...
    def flush(self) -> None: ...


class _InnerCache(_Cache):
    """The cache of an inner kernel: holds code as it comes from the front end, see `linking.Inner`."""

    def _reduce(self, data: Any) -> Any:
        data.fndesc.typemap = data.fndesc.calltypes = None  # not needed again, and large
        return data.library.reduce(), data.fndesc, data.environment, data.signature

    def _rebuild(self, context: Any, payload: Any) -> Any:
        code, description, environment, signature = payload
        library = linking.revive(context.codegen(), *code)
        return _result(context, library, description, environment, signature)


def _result(
    context: Any, library: Any, description: Any, environment: Any, signature: Any, environments: tuple[Any, ...] = ()
) -> CompileResult:
    """Return a function from the cache as numba's result of compiling it, which keeps the `environments` alive."""
    return compile_result(
        target_context=context, typing_context=context.typing_context, library=library, environment=environment,
        entry_point=context.get_executable(library, description, environment), fndesc=description,
        signature=signature, objectmode=False, lifted=(), reload_init=[], referenced_envs=environments,
    )  # fmt: skip


class _CompleteCompiler(Compiler):
    """The compiler of border functions and doors."""

    def define_pipelines(self) -> Any:
        state = self.state
        if state.library is None:
            state.library = self._library(state.func_id)
            state.library.enable_object_caching()
        return super().define_pipelines()

    def _library(self, identity: Any) -> Any:
        return linking.Complete(self.state.targetctx.codegen(), identity.func_qualname)


class _InnerCompiler(_CompleteCompiler):
    """The compiler of inner kernels."""

    def _library(self, identity: Any) -> Any:
        if sources.file_of(identity.func.__module__) is not None:
            linking.named(identity, digest(identity.func.__module__))
        need = (_name(identity.func), tuple(self.state.args))
        return linking.Inner(self.state.targetctx.codegen(), identity.func_qualname, need)


def _name(function: Callable[..., Any]) -> str:
    return f"{function.__module__}:{function.__qualname__}"


class _Inner(CPUDispatcher):
    """An inner kernel. A call from Python raises TypeError, because there is no wrapper for such calls."""

    def __call__(self, *args: Any, **names: Any) -> Any:
        name = self.py_func.__name__
        raise TypeError(
            f"{name}() is an inner kernel: call it in a function compiled by numba.njit or synap.compiler.jit.kernel"
        )


def kernel(target: Any) -> Any:
    """Compile a function as an inner kernel, or with a signature as a border function."""
    if callable(target) and not isinstance(target, types.Type) and not hasattr(target, "return_type"):
        return _inner_kernel(target)

    def border(function: Callable[..., Any]) -> Any:
        if sources.file_of(function.__module__) is None:  # a notebook: nothing is cached, so compile now
            fresh = numba.njit(no_cfunc_wrapper=True, pipeline_class=_CompleteCompiler, **_OPTIONS)(function)
            fresh.compile(tuple(signature[0]))
            fresh.disable_compile()
            return fresh
        dispatcher = numba.njit(no_cfunc_wrapper=True, pipeline_class=_CompleteCompiler, **_OPTIONS)(function)
        dispatcher._cache = _Cache(function)
        _border[_name(function)] = (dispatcher, signature)
        return dispatcher

    signature = numba.core.sigutils.normalize_signature(target)
    return border


def inlined(target: Callable[..., Any]) -> Any:
    """Compile a function as an inner kernel that is always inlined into its callers.

    For a short function in front of longer ones, as rows share them. An array is passed as seven words, so calls are
    dear; LLVM saves the space and calls such a function once it has many callers.
    """
    return _inner_kernel(target, forceinline=True)


def _inner_kernel(target: Any, **more: Any) -> Any:
    compiler = Compiler if target.__closure__ else _InnerCompiler
    options = _OPTIONS | more
    inner = numba.njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, pipeline_class=compiler, **options)(target)
    inner.__class__ = _Inner
    if not target.__closure__:
        if sources.file_of(target.__module__) is not None:  # else a notebook: there is no file to name a cache entry by
            inner._cache = _InnerCache(target)
        linking.inner[_name(target)] = inner
    return inner


def door(function: Callable[..., Any]) -> Any:
    """Compile the entry point of a family as a C function, so that callers know only its address."""
    return _door(function, DOOR)


def kind_door(function: Callable[..., Any]) -> Any:
    """Compile the entry point of a kind as a C function, so that callers know only its address."""
    return _door(function, KIND_DOOR)


def _door(function: Callable[..., Any], signature: Any) -> Any:
    compiled: Any = CFunc(
        function, (tuple(signature.args), signature.return_type), locals={}, options=dict(_OPTIONS),
        pipeline_class=_CompleteCompiler,
    )  # fmt: skip
    compiled._cache = _Cache(function)
    _doors[_name(function)] = compiled
    return compiled


def registered() -> list[str]:
    """Return `module:function` of every door and border function: doors first, each in order of definition."""
    return [*_doors, *_border]


def missing() -> list[str]:
    """Return the names of the registered functions that are neither loaded nor in the cache."""
    names = []
    for name in registered():
        if name in _doors:
            cfunc = _doors[name]
            held = cfunc.address is not None or cfunc._cache.holds(cfunc._sig, cfunc._targetdescr.target_context)
        else:
            dispatcher, (args, _) = _border[name]
            held = dispatcher.signatures or dispatcher._cache.holds(tuple(args), dispatcher.targetctx)
        if not held:
            names.append(name)
    return names


def compile_one(name: str) -> None:
    """Compile one registered function, or load it from the cache."""
    if name in _doors:
        if _doors[name].address is None:
            _doors[name].compile()
        return
    dispatcher, (args, _) = _border[name]
    if not dispatcher.signatures:
        dispatcher.compile(tuple(args))
        dispatcher.disable_compile()


def load(names: Iterable[str] | None = None) -> None:
    """Compile every registered function (or `names`), or load it from the cache."""
    for name in names if names is not None else registered():
        compile_one(name)
    if names is None:
        sources.entries.close_spare()


def address(name: str) -> int:
    """Return the address of a door's compiled code, after `load`."""
    return int(_doors[name].address)

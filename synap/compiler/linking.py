"""Linking of compiled functions: inner kernels stay unlinked, border functions take in all that they reach.

numba treats every function alike: it links in everything that the function calls, optimises the whole and generates
machine code, even for an inner kernel that Python never calls. So everything that a door reaches was optimised at every
level on the way up, which took two thirds of the time to compile it. Here there are three kinds:

    Inner      an inner kernel: holds its own code and the names of its callees, without linking, optimising or
               machine code. That is small enough to be cached by itself, so the next process that needs the
               kernel skips the type inference too.
    Complete   a border function or a door: links each inner kernel that it reaches once, optimises
               the whole once, and generates the only machine code. Inner kernels have internal linkage in
               it, so they are inlined where that pays, called directly elsewhere, and dropped once
               inlined (numba leaves each of them callable from outside, and then the lane took 1.6 times as long).
    Outlined   an inner kernel with machine code of its own, which all others call: for long kernels that
               many functions reach and that run rarely, such as finding adjacent pages or moving a table to a larger
               place. Each is optimised once in all, not once in each door.

An inner kernel has the same name for the linker in every process (`named`), because code that one process has cached is
linked in another process with code that a third process has cached.
"""

from collections.abc import Callable, Container, Iterable
from typing import Any

from llvmlite import binding
from numba.core import cgutils
from numba.core.codegen import JITCodeLibrary

Need = tuple[str, Any]
"""An inner kernel in one of its types: `module:function`, argument types."""

HIDDEN = (binding.Linkage.internal, binding.Linkage.private)

RECURSIVE = ".numba.unresolved$"
"""The beginning of numba's names for pointers to functions that call themselves; the function's name follows."""

inner: dict[str, Any] = {}
"""The dispatcher of each inner kernel, by `module:function`."""


def name_of(function: Callable[..., Any]) -> str:
    """Return `module:function`, by which a function is known here."""
    return f"{function.__module__}:{function.__qualname__}"


class _Quiet:
    """A replacement of the code generator for inner kernels, which have no machine code to set up."""

    def set_env(self, name: str, environment: Any) -> None:
        pass


class _Wrapping(JITCodeLibrary):
    """A library in which integers wrap around when they overflow, as numba says they do.

    numba marks each addition, subtraction and multiplication of signed integers as one that never overflows (`nsw`).
    What LLVM makes of a hash that does overflow then depends on what it has inlined.
    """

    def add_ir_module(self, ir_module: Any) -> None:
        self._raise_if_finalized()
        module = binding.parse_assembly(cgutils.normalize_ir_text(str(ir_module).replace(" nsw i", " i")))
        module.name = ir_module.name
        module.verify()
        self.add_llvm_module(module)


class Inner(_Wrapping):
    """The code of one inner kernel, and the names of the inner kernels that it calls."""

    def __init__(self, codegen: Any, name: str, need: Need) -> None:
        super().__init__(codegen, name)
        self.need = need
        self.needs: list[Need] = []

    @property
    def codegen(self) -> Any:
        return _Quiet()

    def finalize(self) -> None:
        self._raise_if_finalized()
        others = []
        for library in self._linking_libraries:
            if isinstance(library, Inner):
                if library.need not in self.needs:
                    self.needs.append(library.need)
            elif library not in others:
                others.append(library)
        for library in others:
            self._final_module.link_in(library._get_module_for_linking(), preserve=True)
        self._finalize_dynamic_globals()
        self._finalized = True

    @property
    def own(self) -> Any:
        """The LLVM module of this kernel alone."""
        return self._final_module

    def _get_module_for_linking(self) -> Any:
        """Return one module of this kernel and all that it reaches, for numba's own kind of library (plain `njit`)."""
        module = binding.parse_assembly(str(self._codegen._create_empty_module(self.name)))
        join(module, [self])
        for name in _defined(self.own):  # the code that links this in calls it by name
            module.get_function(name).linkage = "linkonce_odr"
        return module

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0

    def reduce(self) -> tuple[Any, ...]:
        """Return the arguments from which `revive` restores the library."""
        return self.name, self.need, self.needs, self.own.as_bitcode()


class Complete(_Wrapping):
    """The code of a border function or a door, with everything that it reaches but outlined kernels."""

    _linking_libraries: list[Any]

    def reduce(self) -> tuple[str, bytes, list[str], list[Need]]:
        """Return the arguments from which `restore` restores the library.

        They are its name, its object code, the symbols in it, and the outlined kernels that it calls.
        """
        self._ensure_finalized()
        symbols = [
            each.name for group in (self._final_module.functions, self._final_module.global_variables) for each in group
            if not each.is_declaration and each.linkage not in HIDDEN
        ]  # fmt: skip
        return self.name, self._get_compiled_object(), symbols, self.calls

    def _get_module_for_linking(self) -> Any:
        raise TypeError(f"{self.name} is called by its address or from Python, not from compiled code: see jit.kernel")

    def finalize(self) -> None:
        linked = self._linking_libraries
        self.calls = self._join([each for each in linked if isinstance(each, Inner)])
        for need in self.calls:
            ready(need)
        self._linking_libraries = [each for each in linked if not isinstance(each, Inner)]
        super().finalize()

    def _join(self, kernels: list[Inner]) -> list[Need]:
        return join(self._final_module, kernels, outlined)



class Outlined(Complete):
    """The machine code of one inner kernel that others call."""

    def __init__(self, codegen: Any, kernel: Inner) -> None:
        super().__init__(codegen, kernel.name)
        self.enable_object_caching()
        self._linking_libraries = [kernel]

    def _join(self, kernels: list[Inner]) -> list[Need]:
        (kernel,) = kernels
        calls = join(self._final_module, kernels, outlined.keys() - {kernel.need[0]})
        for name in _defined(kernel.own):
            self._final_module.get_function(name).linkage = "external"
        return calls


outlined: dict[str, Any] = {}
"""The cache of each outlined kernel, by `module:function`."""

loaded: dict[Need, Complete] = {}
"""The outlined kernels that this process has loaded."""


def ready(need: Need) -> None:
    """Compile an outlined kernel, or load it from the cache, so that other code can call it by its name."""
    if need in loaded:
        return
    name, args = need
    dispatcher = inner[name]
    library = outlined[name].load_overload(args, dispatcher.targetctx)
    if library is None:
        dispatcher.compile(args)
        library = Outlined(dispatcher.targetctx.codegen(), dispatcher.overloads[args].library)
        library.finalize()
        outlined[name].save_library(args, library, dispatcher.targetctx)
    loaded[need] = library


def restore(context: Any, name: str, code: bytes, symbols: list[str], calls: list[Need]) -> Complete:
    """Restore the library of a border function, a door or an outlined kernel from the cache.

    numba would also restore the LLVM module, to link it into others, and read the symbols off it: three quarters of an
    entry, and of the time to load it.
    """
    for need in calls:
        ready(need)
    codegen = context.codegen()
    library = Complete(codegen, name)
    library.calls = calls
    library.enable_object_caching()
    library._set_compiled_object(code)
    library._finalize_final_module()
    codegen._engine._defined_symbols.update(symbols)
    return library


def revive(codegen: Any, name: str, need: Need, needs: list[Need], bitcode: bytes) -> Inner:
    """Restore the library of an inner kernel from the cache."""
    library = Inner(codegen, name, need)
    library._final_module = binding.parse_bitcode(bitcode)
    library.needs = needs
    library._finalized = True
    return library


def reached(first: Iterable[Inner], apart: Container[str] = ()) -> list[Inner]:
    """Return these libraries and all that they need, directly or indirectly, each once.

    Kernels named in `apart` are left out, with what only they need.
    """
    found = {library.need: library for library in first if library.need[0] not in apart}
    waiting = list(found.values())
    while waiting:
        for need in waiting.pop().needs:
            if need not in found and need[0] not in apart:
                name, args = need
                dispatcher = inner[name]
                dispatcher.compile(args)  # from the cache, unless the cache has been emptied
                found[need] = dispatcher.overloads[args].library
                waiting.append(found[need])
    return list(found.values())


def join(module: Any, first: Iterable[Inner], apart: Container[str] = ()) -> list[Need]:
    """Link inner kernels and all that they need into a module, with internal linkage where possible.

    Kernels named in `apart` are left out, with what only they need; those that the module calls are returned.
    """
    libraries = reached(first, apart)
    names = []
    for library in libraries:
        names += _defined(library.own)
        module.link_in(library.own, preserve=True)
    shown = {each.name.removeprefix(RECURSIVE) for each in module.global_variables if each.name.startswith(RECURSIVE)}
    for name in names:
        module.get_function(name).linkage = "linkonce_odr" if name in shown else "internal"
    called = {library.need for library in first} | {need for library in libraries for need in library.needs}
    return sorted(called - {library.need for library in libraries}, key=repr)


def _defined(module: Any) -> list[str]:
    """Return the names of the functions of a module that others may call."""
    outside = [each for each in module.functions if each.linkage == binding.Linkage.external]
    return [each.name for each in outside if not each.is_declaration]


def named(identity: Any, digest: str) -> None:
    """Give a function a name for the linker that is the same in every process."""
    identity.unique_id = f"{digest}l{identity.firstlineno}"
    identity.unique_name = f"{identity.func_qualname}${identity.unique_id}"

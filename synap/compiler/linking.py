"""Linking of compiled functions: inner kernels stay unlinked, border functions take in all that they reach.

numba treats every function alike: it links in everything that the function calls, optimises the whole and generates
machine code, even for an inner kernel that Python never calls. So everything that a door reaches was optimised at every
level on the way up, which took two thirds of the time to compile it. Here there are two kinds:

    Inner      an inner kernel: holds its own code and the names of its callees, without linking, optimising or
               machine code. That is small enough to be cached by itself, so the next process that needs the
               kernel skips the type inference too.
    Complete   a border function or a door: links each inner kernel that it reaches once, optimises
               the whole once, and generates the only machine code. Inner kernels have internal linkage in
               it, so they are inlined where that pays, called directly elsewhere, and dropped once
               inlined (numba leaves each of them callable from outside, and then the lane took 1.6 times as long).

An inner kernel has the same name for the linker in every process (`named`), because code that one process has cached is
linked in another process with code that a third process has cached.
"""

from collections.abc import Iterable
from typing import Any

from llvmlite import binding
from numba.core.codegen import JITCodeLibrary

Need = tuple[str, Any]
"""An inner kernel in one of its types: `module:function`, argument types."""

HIDDEN = (binding.Linkage.internal, binding.Linkage.private)

RECURSIVE = ".numba.unresolved$"
"""The beginning of numba's names for pointers to functions that call themselves; the function's name follows."""

inner: dict[str, Any] = {}
"""The dispatcher of each inner kernel, by `module:function`."""


class _Quiet:
    """A replacement of the code generator for inner kernels, which have no machine code to set up."""

    def set_env(self, name: str, environment: Any) -> None:
        pass


class Inner(JITCodeLibrary):
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


class Complete(JITCodeLibrary):
    """The code of a border function or a door, with everything that it reaches."""

    _linking_libraries: list[Any]

    def reduce(self) -> tuple[str, bytes, list[str]]:
        """Return the arguments from which `restore` restores the library: its name, object code and symbols."""
        self._ensure_finalized()
        symbols = [
            each.name for group in (self._final_module.functions, self._final_module.global_variables) for each in group
            if not each.is_declaration and each.linkage not in HIDDEN
        ]  # fmt: skip
        return self.name, self._get_compiled_object(), symbols

    def _get_module_for_linking(self) -> Any:
        raise TypeError(f"{self.name} is called by its address or from Python, not from compiled code: see jit.kernel")

    def finalize(self) -> None:
        linked = self._linking_libraries
        join(self._final_module, [each for each in linked if isinstance(each, Inner)])
        self._linking_libraries = [each for each in linked if not isinstance(each, Inner)]
        super().finalize()


def restore(codegen: Any, name: str, code: bytes, symbols: list[str]) -> Complete:
    """Restore the library of a border function or a door from the cache.

    numba would also restore the LLVM module, to link it into others, and read the symbols off it: three quarters of an
    entry, and of the time to load it.
    """
    library = Complete(codegen, name)
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


def reached(first: Iterable[Inner]) -> list[Inner]:
    """Return these libraries and all that they need, directly or indirectly, each once."""
    found = {library.need: library for library in first}
    waiting = list(found.values())
    while waiting:
        for need in waiting.pop().needs:
            if need not in found:
                name, args = need
                dispatcher = inner[name]
                dispatcher.compile(args)  # from the cache, unless the cache has been emptied
                found[need] = dispatcher.overloads[args].library
                waiting.append(found[need])
    return list(found.values())


def join(module: Any, first: Iterable[Inner]) -> None:
    """Link these inner kernels and all that they need into a module, with internal linkage where possible."""
    names = []
    for library in reached(first):
        names += _defined(library.own)
        module.link_in(library.own, preserve=True)
    shown = {each.name.removeprefix(RECURSIVE) for each in module.global_variables if each.name.startswith(RECURSIVE)}
    for name in names:
        module.get_function(name).linkage = "linkonce_odr" if name in shown else "internal"


def _defined(module: Any) -> list[str]:
    """Return the names of the functions of a module that others may call."""
    outside = [each for each in module.functions if each.linkage == binding.Linkage.external]
    return [each.name for each in outside if not each.is_declaration]


def named(identity: Any, digest: str) -> None:
    """Give a function a name for the linker that is the same in every process."""
    identity.unique_id = f"{digest}l{identity.firstlineno}"
    identity.unique_name = f"{identity.func_qualname}${identity.unique_id}"

"""How compiled functions are put together: inner ones stay as they were written, borders take all in.

numba treats each function alike: it links in everything that the function calls, optimises the whole
and makes machine code of it, also for an inner function that nobody can call. What a door reaches was
so optimised at every level on the way up, two thirds of the time to compile it. Here

    Inner      holds its own code and the names of what it calls: no linking, no optimising, no machine
               code. That is little enough to be cached for itself, so the next process that needs it
               leaves out the type inference too.
    Complete   a border function or a door: links each inner function that it reaches once, optimises
               the whole once, and makes the only machine code there is. Inner functions are internal to
               it, so they are inlined where that pays, called directly elsewhere, and dropped once
               inlined (numba leaves each where others could call it, and the lane took 1.6 times as long).

An inner function has the same name for the linker in every process (`named`), as what is cached by one
process is linked in another with what a third one cached.
"""

from collections.abc import Iterable
from typing import Any

from llvmlite import binding
from numba.core.codegen import JITCodeLibrary

Need = tuple[str, Any]
"""An inner function in one of its types: `module:function`, argument types."""

RECURSIVE = ".numba.unresolved$"
"""How numba begins the name of a pointer to a function that calls itself: it is set by the function's name."""

inner: dict[str, Any] = {}
"""The dispatcher of each inner function, by `module:function`."""


class _Quiet:
    """In the place of the code generator where an inner function has no machine code to set up."""

    def set_env(self, name: str, environment: Any) -> None:
        pass


class Inner(JITCodeLibrary):
    """The code of one inner function, and what it needs."""

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
        """The module of this function alone."""
        return self._final_module

    def _get_module_for_linking(self) -> Any:
        """For a library of numba's own kind, as a plain `njit` function has: this function and all that it reaches."""
        module = binding.parse_assembly(str(self._codegen._create_empty_module(self.name)))
        join(module, [self])
        for name in _defined(self.own):  # whoever links this in calls it by name
            module.get_function(name).linkage = "linkonce_odr"
        return module

    def get_pointer_to_function(self, name: str) -> int:
        self._ensure_finalized()
        return 0

    def reduce(self) -> tuple[Any, ...]:
        """What `revive` makes the library of."""
        return self.name, self.need, self.needs, self.own.as_bitcode()


class Complete(JITCodeLibrary):
    """The code of a border function or a door, with everything that it reaches."""

    _linking_libraries: list[Any]

    def finalize(self) -> None:
        linked = self._linking_libraries
        join(self._final_module, [each for each in linked if isinstance(each, Inner)])
        self._linking_libraries = [each for each in linked if not isinstance(each, Inner)]
        super().finalize()


def revive(codegen: Any, name: str, need: Need, needs: list[Need], bitcode: bytes) -> Inner:
    """An inner function's library out of the cache."""
    library = Inner(codegen, name, need)
    library._final_module = binding.parse_bitcode(bitcode)
    library.needs = needs
    library._finalized = True
    return library


def reached(first: Iterable[Inner]) -> list[Inner]:
    """These libraries and all that they need, each once."""
    found = {library.need: library for library in first}
    waiting = list(found.values())
    while waiting:
        for need in waiting.pop().needs:
            if need not in found:
                name, args = need
                dispatcher = inner[name]
                dispatcher.compile(args)  # out of the cache, unless somebody has emptied it
                found[need] = dispatcher.overloads[args].library
                waiting.append(found[need])
    return list(found.values())


def join(module: Any, first: Iterable[Inner]) -> None:
    """Link these inner functions and all that they need into a module, for its own use only."""
    names = []
    for library in reached(first):
        names += _defined(library.own)
        module.link_in(library.own, preserve=True)
    shown = {each.name.removeprefix(RECURSIVE) for each in module.global_variables if each.name.startswith(RECURSIVE)}
    for name in names:
        module.get_function(name).linkage = "linkonce_odr" if name in shown else "internal"


def _defined(module: Any) -> list[str]:
    """Names of the functions of a module that others may call."""
    outside = [each for each in module.functions if each.linkage == binding.Linkage.external]
    return [each.name for each in outside if not each.is_declaration]


def named(identity: Any, digest: str) -> None:
    """Give a function a name for the linker that is the same in every process."""
    identity.unique_id = f"{digest}l{identity.firstlineno}"
    identity.unique_name = f"{identity.func_qualname}${identity.unique_id}"

"""The pipelines that compile kernels: numba's own, without the passes that kernels never need.

numba's front end takes more time than LLVM does. Four things shorten it, the first two by a third:

- Inner kernels are compiled for int64 where a caller gives a constant (`InnerDispatcher`): numba would compile them
  once more for each constant, though LLVM knows the constant as soon as it has inlined the kernel.
- The types of an operator are resolved once for each combination of argument types (`_Typing`), not at each use.
- No index of a kernel of this package may be negative, and none is tested for it: kernels get shorter and faster.
  Code that is compiled with bounds checks raises IndexError for a negative index.
- Two passes that fuse array expressions and inline closures are left out, as kernels have neither (`SPARED`).
"""

from functools import cache
from typing import Any

from numba.core import cgutils, types
from numba.core.compiler import Compiler
from numba.core.compiler_machinery import register_pass
from numba.core.lowering import Lower
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NativeLowering, NopythonRewrites
from numba.core.types.misc import unliteral
from numba.core.typing import Context
from numba.core.untyped_passes import InlineClosureLikes

from synap.compiler import linking, sources
from synap.compiler.digests import CHECKED, digest

SPARED = (NopythonRewrites, InlineClosureLikes)
"""Passes that inner kernels of this package do without."""


class _Typing(Context):
    """numba's typing context, which resolves an operator or function for given types once."""

    resolved: dict[Any, Any]

    def resolve_function_type(self, func: Any, args: tuple[Any, ...], kws: dict[str, Any]) -> Any:
        if kws or not (type(func) is types.Function or not isinstance(func, types.Type)):
            return super().resolve_function_type(func, args, kws)
        key = func, tuple(args)
        found = self.resolved.get(key)
        if found is None:
            found = super().resolve_function_type(func, args, kws)
            if found is not None:
                self.resolved[key] = found
        return found


@cache
def _remembering(context: Any) -> _Typing:
    """Return a typing context with the contents of `context`, which resolves a function for given types once."""
    made = _Typing.__new__(_Typing)
    made.__dict__ = context.__dict__  # one state: what is registered in either is known to both
    made.__dict__.setdefault("resolved", {})
    return made


class _Lowering(Lower):
    """numba's lowering, in which a negative index into a plain array does not count from the end."""

    def lower_getitem(self, resty: Any, expr: Any, value: Any, index: Any, signature: Any) -> Any:
        array = self.typeof(value.name)
        if not _is_plain(array, signature.args[1]):
            return super().lower_getitem(resty, expr, value, index, signature)
        place = self._place(value, index, signature.args[1])
        item = self.context.unpack_value(self.builder, array.dtype, place)
        return self.context.cast(self.builder, item, array.dtype, resty)

    def lower_setitem(self, target_var: Any, index_var: Any, value_var: Any, signature: Any) -> Any:
        array = self.typeof(target_var.name)
        if not _is_plain(array, signature.args[1]):
            return super().lower_setitem(target_var, index_var, value_var, signature)
        place = self._place(target_var, index_var, signature.args[1])
        kind = self.typeof(value_var.name)
        value = self.context.cast(self.builder, self.loadvar(value_var.name), kind, array.dtype)
        self.context.pack_value(self.builder, array.dtype, value, place)
        return self.context.get_dummy_value()

    def _place(self, array: Any, index: Any, wanted: Any) -> Any:
        """Return the address of an item. The index is not checked, unless all are (CHECKED)."""
        number = self.context.cast(self.builder, self.loadvar(index.name), self.typeof(index.name), wanted)
        number = self.context.cast(self.builder, number, wanted, types.intp)
        given = self.loadvar(array.name)
        if CHECKED:
            outside = self.builder.icmp_unsigned(">=", number, self.builder.extract_value(given, ITEMS))
            with cgutils.if_unlikely(self.builder, outside):
                self.context.call_conv.return_user_exc(self.builder, IndexError, ("index is out of bounds",))
        return self.builder.gep(self.builder.extract_value(given, DATA), [number])


ITEMS, DATA = 2, 4
"""The places of the number of items and of the address in numba's structure of an array."""


def _is_plain(array: Any, index: Any) -> bool:
    """Return True for a contiguous array of one dimension and integers, and an index that is an integer."""
    return (
        type(array) is types.Array and array.ndim == 1 and array.layout == "C" and array.aligned
        and isinstance(array.dtype, types.Integer) and isinstance(index, types.Integer)
    )  # fmt: skip


@register_pass(mutates_CFG=True, analysis_only=False)
class _KernelLowering(NativeLowering):
    """The pass that makes LLVM's code of a kernel."""

    @property
    def lowering_class(self) -> Any:
        return _Lowering


class InnerDispatcher(CPUDispatcher):
    """An inner kernel. A call from Python raises TypeError, because there is no wrapper for such calls."""

    def __call__(self, *args: Any, **names: Any) -> Any:
        name = self.py_func.__name__
        raise TypeError(
            f"{name}() is an inner kernel: call it in a function compiled by numba.njit or synap.compiler.jit.kernel"
        )

    def get_call_template(self, args: Any, kws: dict[str, Any]) -> Any:
        names = {name: unliteral(each) for name, each in kws.items()}
        return super().get_call_template([unliteral(each) for each in args], names)


class CompleteCompiler(Compiler):
    """The compiler of border functions and doors."""

    def __init__(self, typing: Any, *more: Any) -> None:
        super().__init__(_remembering(typing), *more)

    def define_pipelines(self) -> Any:
        state = self.state
        if state.library is None:
            state.library = self._library(state.func_id)
            state.library.enable_object_caching()
        pipelines = super().define_pipelines()
        if self._is_ours():
            for each in pipelines:
                each.passes = [
                    (_KernelLowering, text) if step is NativeLowering else (step, text) for step, text in each.passes
                ]
        return pipelines

    def _is_ours(self) -> bool:
        return bool(self.state.func_id.modname.startswith(sources.PACKAGE + "."))

    def _library(self, identity: Any) -> Any:
        return linking.Complete(self.state.targetctx.codegen(), identity.func_qualname)


class InnerCompiler(CompleteCompiler):
    """The compiler of inner kernels."""

    def define_pipelines(self) -> Any:
        pipelines = super().define_pipelines()
        if self._is_ours():
            for each in pipelines:
                each.passes = [step for step in each.passes if step[0] not in SPARED]
        return pipelines

    def _library(self, identity: Any) -> Any:
        if sources.file_of(identity.func.__module__) is not None:
            linking.named(identity, digest(identity.func.__module__))
        need = (linking.name_of(identity.func), tuple(self.state.args))
        return linking.Inner(self.state.targetctx.codegen(), identity.func_qualname, need)

"""The cache of one function on disk: an entry for each of its types, named by the digest of its module.

The processor and the types are part of an entry's name. There is one file for each function in each
of its types, so processes that write at the same time use different files. Inner kernels are cached too, as numba's
front end returns them: after an edit only the functions of the edited file, and of files that import it, go through
the front end again (see `linking`). Any failure with an entry is a miss (see `entries`).

What the cache on disk lacks is looked up among the kernels that the package was installed with (`shipped`). The names
of these have the level of a processor in place of the processor.
"""

import hashlib
import pickle
from collections.abc import Callable
from typing import Any

from numba.core import caching
from numba.core.compiler import CompileResult, compile_result
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from synap.compiler import levels, linking, sources
from synap.compiler.digests import digest, is_as_imported, note_imports


class Cache(caching._Cache):
    """The cache of one function: one file for each signature, in the folder of its module's digest."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._module = function.__module__
        note_imports(self._module)
        self._name = f"{function.__qualname__}-{function.__code__.co_firstlineno}"

    @property
    def cache_path(self) -> str:
        return str(sources.entries.directory)

    def _processor(self, context: Any) -> Any:
        """Return for which processor the entries are."""
        return context.codegen().magic_tuple()

    def _entry(self, signature: Any, processor: Any) -> str:
        key = repr((signature, processor))
        return f"{digest(self._module)}/{self._name}.{hashlib.sha256(key.encode()).hexdigest()[:16]}.nbc"

    def _read(self, signature: Any, context: Any) -> bytes | None:
        """Return the entry of this function in one of its types, from the cache on disk or the package."""
        if not is_as_imported(self._module):
            return None
        content = sources.entries.read(self._entry(signature, self._processor(context)))
        return self._shipped(signature) if content is None else content

    def _shipped(self, signature: Any) -> bytes | None:
        """Return the entry that the package was installed with."""
        level = levels.chosen()
        if level is None or not levels.is_shipped(self._module):
            return None
        return sources.shipped.read(self._entry(signature, level))

    def to_ship(self, signature: Any, context: Any, level: str) -> tuple[str, bytes]:
        """Return the name and the content under which this function, compiled for a level, is shipped."""
        content = sources.entries.read(self._entry(signature, self._processor(context)))
        if content is None:
            raise RuntimeError(f"{self._module}: {self._name} is not in the cache")
        return self._entry(signature, level), content

    def holds(self, signature: Any, context: Any) -> bool:
        """Return True if the cache or the package holds this function, compiled and undamaged."""
        return self._read(signature, context) is not None

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        content = self._read(sig, target_context)
        if content is None:
            return None
        # In place of `refresh`, which takes a quarter of a second to prepare numba for compiling. If something is then
        # compiled, numba calls that itself.
        rtsys.initialize(target_context)
        try:
            return self._rebuild(target_context, pickle.loads(content))
        except Exception as error:  # another program may have written anything, even with a valid checksum
            name = self._entry(sig, self._processor(target_context))
            sources.entries.damaged(name, f"{type(error).__name__}: {error}")
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        if is_as_imported(self._module):
            name = self._entry(sig, self._processor(data.target_context))
            sources.entries.write(name, dumps(self._reduce(data)))

    def _reduce(self, data: Any) -> Any:
        environments = tuple(data._find_referenced_environments())
        data.fndesc.typemap = data.fndesc.calltypes = None  # not needed again, and large
        return data.library.reduce(), data.fndesc, data.environment, data.signature, environments

    def _rebuild(self, context: Any, payload: Any) -> Any:
        code, description, environment, signature, environments = payload
        library = linking.restore(context, *code)
        for each in environments:
            context.codegen().set_env(each.env_name, each)
        return _result(context, library, description, environment, signature, environments)

    def enable(self) -> None: ...
    def disable(self) -> None: ...
    def flush(self) -> None: ...


class InnerCache(Cache):
    """The cache of an inner kernel: holds code as it comes from the front end, see `linking.Inner`.

    That is the same for every processor, and it is not shipped.
    """

    def _processor(self, context: Any) -> Any:
        triple, *_ = context.codegen().magic_tuple()
        return triple

    def _shipped(self, signature: Any) -> bytes | None:
        return None

    on_save: Callable[[], object] = staticmethod(lambda: None)
    """Called after each inner kernel that was compiled, to show progress. Set it on the class."""

    def holds_any(self) -> bool:
        """Return True if the directory holds this kernel in some type; its content is not read."""
        return any(file.startswith(f"{self._name}.") for file in sources.entries.files(digest(self._module)))

    def save_overload(self, sig: Any, data: Any) -> None:
        super().save_overload(sig, data)
        InnerCache.on_save()

    def _reduce(self, data: Any) -> Any:
        data.fndesc.typemap = data.fndesc.calltypes = None  # not needed again, and large
        return data.library.reduce(), data.fndesc, data.environment, data.signature

    def _rebuild(self, context: Any, payload: Any) -> Any:
        code, description, environment, signature = payload
        library = linking.revive(context.codegen(), *code)
        return _result(context, library, description, environment, signature)


class OutlinedCache(Cache):
    """The cache of an outlined kernel's machine code (`linking.Outlined`), beside the one of its front end's code."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._name += "-outlined"

    def save_library(self, sig: Any, library: linking.Outlined, context: Any) -> None:
        """Store the code of this kernel for these argument types."""
        if is_as_imported(self._module):
            sources.entries.write(self._entry(sig, self._processor(context)), dumps(library.reduce()))

    def _rebuild(self, context: Any, payload: Any) -> Any:
        return linking.restore(context, *payload)


def _result(
    context: Any, library: Any, description: Any, environment: Any, signature: Any, environments: tuple[Any, ...] = ()
) -> CompileResult:
    """Return a function from the cache as numba's result of compiling it, which keeps the `environments` alive."""
    return compile_result(
        target_context=context, typing_context=context.typing_context, library=library, environment=environment,
        entry_point=context.get_executable(library, description, environment), fndesc=description,
        signature=signature, objectmode=False, lifted=(), reload_init=[], referenced_envs=environments,
    )  # fmt: skip

"""In-process methods of scripts and functions in Lua."""

import hashlib
from collections.abc import Sequence
from typing import Any

from synap.faults import Fault
from synap.io.embedded.calls import Calls, Key, Value


class Script:
    """A script, called with keys and arguments."""

    def __init__(self, owner: "ScriptMethods", text: str | bytes) -> None:
        octets = text.encode() if isinstance(text, str) else text
        self.text, self.sha1 = text, hashlib.sha1(octets, usedforsecurity=False).hexdigest()
        self._owner = owner

    def __call__(self, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Run the script and return what it returns."""
        try:
            return self._owner.evalsha(self.sha1, keys, args)
        except Fault as fault:
            if not fault.resp_text().startswith("NOSCRIPT"):
                raise
        return self._owner.eval(self.text, keys, args)


class ScriptMethods(Calls):
    """Methods that run scripts and functions. A subclass has `call`."""

    def script(self, text: str | bytes) -> Script:
        """Return a script in Lua that is called with keys and arguments, and compiled when it runs for the first time.
        """
        return Script(self, text)

    def eval(self, script: Value, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Run a script in Lua with keys and arguments, and return what it returns."""
        return self.call("script.eval", script=script, keys=keys, args=args)

    def eval_ro(self, script: Value, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Run a script that may not write, as `eval` does."""
        return self.call("script.eval_ro", script=script, keys=keys, args=args)

    def evalsha(self, sha1: str, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Run a script of the cache, named by its SHA1, and return what it returns. See `script`."""
        return self.call("script.evalsha", sha1=sha1, keys=keys, args=args)

    def evalsha_ro(self, sha1: str, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Run a script of the cache that may not write, as `evalsha` does."""
        return self.call("script.evalsha_ro", sha1=sha1, keys=keys, args=args)

    def script_load(self, script: Value) -> str:
        """Store a script in the cache without running it, and return its SHA1."""
        return str(self.call("script.load", script=script).decode())

    def fcall(self, function: str, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Call a function of a library in Lua with keys and arguments, and return what it returns."""
        return self.call("script.fcall", function=function, keys=keys, args=args)

    def fcall_ro(self, function: str, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Call a function that may not write, as `fcall` does."""
        return self.call("script.fcall_ro", function=function, keys=keys, args=args)

    def function_load(self, code: str | bytes, *, replace: bool = False) -> str:
        """Load a library of functions and return its name; with `replace` in place of one with the same name."""
        return str(self.call("function.load", code=code, replace=replace).decode())

    def function_list(self, pattern: str | None = None, *, withcode: bool = False) -> list[Any]:
        """Return what is known of each library, or of those whose names match a pattern."""
        return list(self.call("function.list", pattern=pattern, withcode=withcode))

    def function_delete(self, library: str) -> None:
        """Remove a library and its functions."""
        self.call("function.delete", library=library)

    def function_flush(self) -> None:
        """Remove all libraries."""
        self.call("function.flush")

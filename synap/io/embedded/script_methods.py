"""In-process methods of scripts in Lua."""

from collections.abc import Sequence
from typing import Any

from synap.io.embedded.calls import Calls, Key, Value


class ScriptMethods(Calls):
    """Methods that run scripts. A subclass has `call`."""

    def eval(self, script: Value, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Run a script in Lua with keys and arguments, and return what it returns."""
        return self.call("script.eval", script=script, keys=keys, args=args)

    def evalsha(self, sha1: str, keys: Sequence[Key] = (), args: Sequence[Value] = ()) -> Any:
        """Run a script of the cache, named by its SHA1, and return what it returns."""
        return self.call("script.evalsha", sha1=sha1, keys=keys, args=args)

    def script_load(self, script: Value) -> str:
        """Store a script in the cache without running it, and return its SHA1."""
        return str(self.call("script.load", script=script).decode())

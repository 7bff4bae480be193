"""`coroutine.resume`, and the functions that `coroutine.wrap` returns: Lua's own, after what Lua leaves undone.

Lua 5.1 grows the stack of a coroutine for the arguments before anything could catch an error there, and a lack of
memory would end the process: so the stack grows here, where memory does not lack. A coroutine counts its instructions
anew, so a script of many short ones would never meet the hook: each resume counts as work.
"""

from synap.compiler.jit import c_function, kernel
from synap.kernels.spans import view
from synap.store.memory.layout import LUA_FLAGS, SCRIPT_IN_CALL
from synap.store.scripts import lua
from synap.store.scripts.library_calls import CALL_FUNCTION
from synap.store.scripts.script_calls import call_c, may_work

RESUME_WORK = 4096  # steps that a resume counts as


@kernel
def resume(state, thread, given):
    """Make a coroutine ready for so many arguments, then call Lua's own function, whose address is the second own value
    of the function that runs."""
    words = view(lua.heap_of(state), 1 << 58)
    flags = words[LUA_FLAGS]
    words[LUA_FLAGS] = flags | SCRIPT_IN_CALL
    lua.has_stack(thread, given)
    words[LUA_FLAGS] = flags
    if not may_work(words, state, RESUME_WORK):
        lua.push_nil(state)
        lua.raise_error(state)
    return call_c(lua.pointer(state, lua.OWN_VALUE - 1), state, 0)


@c_function(CALL_FUNCTION)
def resumed(state):
    """Carry out `coroutine.resume`, whose first argument is a coroutine."""
    return resume(state, lua.thread(state, 1), lua.top(state) - 1)


@c_function(CALL_FUNCTION)
def wrapped(state):
    """Carry out a function that `coroutine.wrap` has returned; its first own value is the coroutine."""
    return resume(state, lua.thread(state, lua.OWN_VALUE), lua.top(state))

"""Handlers of CONFIG: reads settings under Redis' names, and changes those that can change at runtime."""

from typing import Any

from synap.call import Value
from synap.engine.callers import Caller
from synap.engine.engine import Engine
from synap.engine.globs import Glob, elements
from synap.engine.handlers.live_settings import LIVE, Live
from synap.engine.handlers.redis_settings import ALIASES, FIXED, HIDDEN, IMMUTABLE, KEPT, PROTECTED, Known
from synap.faults import Fault
from synap.observe import times
from synap.store.memory import layout


def _kept(name: str, known: Known) -> Live:
    """Return a setting without effect here: the value is checked, stored and shown."""

    def apply(engine: Engine, value: Any) -> None:
        engine.diagnostics.kept[name] = str(value)

    return Live(known.read, lambda engine: engine.diagnostics.kept.get(name, known.value), apply, "")


def _fixed(name: str, known: Known) -> Live:
    """Return a setting that has one value while the process lives."""

    def refuse(engine: Engine, value: Any) -> None:
        raise ValueError(known.why)

    return Live(known.read, lambda engine: engine.host.config.get(name, known.value), refuse, known.why)


SETTABLE: dict[str, Live] = {
    **LIVE, **{name: _fixed(name, known) for name, known in FIXED.items()},
    **{name: _kept(name, known) for name, known in KEPT.items()},
}  # fmt: skip
REFUSED = {
    **dict.fromkeys(IMMUTABLE, "can't set immutable config"), **dict.fromkeys(PROTECTED, "can't set protected config"),
}  # fmt: skip


def current(engine: Engine) -> dict[str, str]:
    """Return every setting's current value by Redis' name; empty if the engine runs without settings."""
    if not engine.host.config:
        return {}
    found = {name: str(engine.host.config.get(name, value)) for name, value in (IMMUTABLE | PROTECTED).items()}
    return found | {name: str(setting.show(engine)) for name, setting in SETTABLE.items()}


def config_get(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Return the settings whose Redis names match any of the patterns; a plain name is shown as it was given."""
    settings = current(engine)
    if settings:
        settings |= {name: settings[other] for name, other in ALIASES.items()}
    found: dict[str, bytes] = {}  # by name, and how it is shown
    spelled: dict[str, bytes] = {}
    for item in args["patterns"]:
        text = item["pattern"].lower()
        if not {*b"[*?"} & {*text}:
            names = [name for name in (_text(text),) if name in settings]
        else:
            pattern = elements(text)
            matches = Glob(pattern, pattern, None).matches
            names = [name for name in settings if name not in HIDDEN and matches(name.encode())]
        for name in names:
            found.setdefault(name, settings[name].encode("utf-8", "surrogateescape"))
            spelled.setdefault(name, item["pattern"] if len(names) == 1 and name == _text(text) else name.encode())
    return {spelled[name]: value for name, value in found.items()}


def config_set(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Change settings, all or none. Raise Fault with the name of the refused setting and the reason.

    All texts are read before anything changes. If a change is refused then, those before it are taken back. As in
    Redis, a setting may stand under two of its names, and the last counts.
    """
    pairs = [(_text(item["name"]), _text(item["value"])) for item in args["pairs"]]
    spelled = [name.lower() for name, _ in pairs]
    names = [ALIASES.get(name, name) for name in spelled]
    for i, name in enumerate(names):
        if name not in SETTABLE and name not in REFUSED:
            raise Fault("NO_SUCH_SETTING", name=pairs[i][0])
        if reason := REFUSED.get(name, "duplicate parameter" if spelled[i] in spelled[:i] else ""):
            raise Fault("SETTING_REFUSED", name=pairs[i][0], reason=reason)
    values = []
    for (given, text), name in zip(pairs, names, strict=True):
        try:
            values.append(SETTABLE[name].read(text))
        except ValueError as error:
            raise Fault("SETTING_REFUSED", name=given.lower(), reason=str(error)) from None
    done: list[tuple[Live, Any]] = []
    for (given, _), name, value in zip(pairs, names, values, strict=True):
        setting = SETTABLE[name]
        before = str(setting.show(engine))
        if str(value) == before:
            continue
        old = setting.read.again(before)
        try:
            setting.apply(engine, value)
        except ValueError as error:
            for changed, earlier in reversed(done):
                changed.apply(engine, earlier)
            raise Fault("SETTING_REFUSED", name=given.lower(), reason=str(error)) from None
        done.append((setting, old))
    return "OK"


def _text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def config_resetstat(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Reset the counters of INFO to zero."""
    for row in engine.catalogue.rows:
        for i in range(layout.COUNTER_WORDS):
            engine.numbers[layout.COUNTERS + layout.COUNTER_WORDS * row.code + i] = 0
        times.forget(engine.numbers, row.code)
    for i in range(layout.FAULTS_COUNT):
        engine.numbers[layout.REFUSALS + i] = 0
    for register in (layout.EVICTED, layout.KEY_HITS, layout.KEY_MISSES):
        engine.numbers[register] = 0
    engine.diagnostics.reset()
    return "OK"


def config_rewrite(engine: Engine, caller: Caller, args: dict[str, Any], now: int) -> Value:
    """Raise Fault: the server reads its configuration files and never writes them."""
    raise Fault("NO_CONFIG_FILE")

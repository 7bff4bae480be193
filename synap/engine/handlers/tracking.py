"""Handlers about keys that clients keep: CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR."""

from typing import Any

from synap.call import Members, Value
from synap.engine.engine import Engine, Handler
from synap.engine.handlers.redis_values import integer
from synap.engine.sessions import Session
from synap.engine.tracking import Tracking
from synap.faults import Fault


def _as_text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _session_of(engine: Engine, word: bytes) -> int:
    """Return the number of the open session that the word behind REDIRECT names. Raises Fault."""
    try:
        number = integer(_as_text(word))
    except ValueError:
        raise Fault("NOT_AN_INTEGER") from None
    if number not in engine.sessions.open:
        raise Fault("NO_REDIRECT")
    return number


def _options(engine: Engine, words: list[bytes]) -> Tracking:
    """Return what the words behind ON or OFF ask for. Raises Fault."""
    asked, at = Tracking(), 0
    while at < len(words):
        word, more = words[at].upper(), at + 1 < len(words)
        at += 1
        if word == b"REDIRECT" and more:
            if asked.redirect:
                raise Fault("TWO_REDIRECTS")
            asked.redirect = _session_of(engine, words[at])
            at += 1
        elif word == b"PREFIX" and more:
            asked.prefixes.append(words[at])
            at += 1
        elif word in (b"BCAST", b"OPTIN", b"OPTOUT", b"NOLOOP"):
            asked.broadcast |= word == b"BCAST"
            asked.opt_in |= word == b"OPTIN"
            asked.opt_out |= word == b"OPTOUT"
            asked.no_loop |= word == b"NOLOOP"
        else:
            raise Fault("SYNTAX")
    return asked


def _check(asked: Tracking, before: Tracking | None) -> None:
    """Check options against each other, and against those of the session before. Raises Fault."""
    if asked.prefixes and not asked.broadcast:
        raise Fault("PREFIX_WITHOUT_BCAST")
    if before is not None and before.broadcast != asked.broadcast:
        raise Fault("BCAST_SWITCHED")
    if asked.broadcast and (asked.opt_in or asked.opt_out):
        raise Fault("BCAST_AND_OPT")
    if asked.opt_in and asked.opt_out:
        raise Fault("OPTIN_AND_OPTOUT")
    if before is not None and ((asked.opt_in and before.opt_out) or (asked.opt_out and before.opt_in)):
        raise Fault("OPT_SWITCHED")
    for i, prefix in enumerate(asked.prefixes):
        for other in before.prefixes if before is not None else ():
            if prefix.startswith(other) or other.startswith(prefix):
                raise Fault("PREFIX_OVERLAPS", prefix=_as_text(prefix), other=_as_text(other))
        for other in asked.prefixes[i + 1 :]:
            if prefix.startswith(other) or other.startswith(prefix):
                raise Fault("PREFIXES_OVERLAP", prefix=_as_text(prefix), other=_as_text(other))


def client_tracking(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Begin or end to tell the session which keys have changed. Raises Fault for options that contradict."""
    asked = _options(engine, [item["option"] for item in args.get("options", ())])
    switch = args["switch"].upper()
    if switch == b"ON":
        _check(asked, session.tracking)
        engine.tracking.start(session, asked)
    elif switch == b"OFF":
        engine.tracking.stop(session)
    else:
        raise Fault("SYNTAX")
    return "OK"


def client_caching(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Note the keys of the next command, or do not. Raises Fault in another mode."""
    tracking = session.tracking
    if tracking is None:
        raise Fault("CACHING_WITHOUT_TRACKING")
    if args["switch"] == "YES" and not tracking.opt_in:
        raise Fault("CACHING_YES")
    if args["switch"] == "NO" and not tracking.opt_out:
        raise Fault("CACHING_NO")
    engine.tracking.choose_caching(session)
    return "OK"


def client_trackinginfo(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Return how the session tracks keys."""
    tracking = session.tracking
    if tracking is None:
        return {"flags": Members([b"off"]), "redirect": -1, "prefixes": []}
    shown = [
        (b"on", True), (b"bcast", tracking.broadcast),
        (b"optin", tracking.opt_in), (b"caching-yes", tracking.opt_in and tracking.caching),
        (b"optout", tracking.opt_out), (b"caching-no", tracking.opt_out and tracking.caching),
        (b"noloop", tracking.no_loop), (b"broken_redirect", tracking.broken),
    ]  # fmt: skip
    flags = Members(name for name, on in shown if on)
    return {"flags": flags, "redirect": tracking.redirect, "prefixes": list(tracking.prefixes)}


def client_getredir(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Return the session that is told in place of this one, 0 if it is told itself, -1 if it tracks no keys."""
    return -1 if session.tracking is None else session.tracking.redirect


HANDLERS: dict[str, Handler] = {
    "client_tracking": client_tracking,
    "client_caching": client_caching,
    "client_trackinginfo": client_trackinginfo,
    "client_getredir": client_getredir,
}

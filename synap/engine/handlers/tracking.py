"""Handlers about keys that clients keep: CLIENT TRACKING, CACHING, TRACKINGINFO, GETREDIR."""

from typing import Any

from synap.call import Members, Value
from synap.engine.engine import Engine, Handler
from synap.engine.sessions import Session
from synap.engine.tracking import PREFIXES_MAX, Tracking
from synap.faults import Fault


def _as_text(word: bytes) -> str:
    return word.decode("utf-8", "surrogateescape")


def _asked(engine: Engine, args: dict[str, Any]) -> Tracking:
    """Return how a call of CLIENT TRACKING wants the session to track keys. Raises Fault if the session that is to be
    told in its place is not open."""
    if args.get("redirect", 0) not in (0, *engine.sessions.open):
        raise Fault("NO_REDIRECT")
    return Tracking(
        args.get("redirect", 0), "bcast" in args, "optin" in args, "optout" in args, "noloop" in args,
        [item["prefix"] for item in args.get("prefixes", ())],
    )  # fmt: skip


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
    _check_prefixes(asked.prefixes, before.prefixes if before is not None else [])


def _check_prefixes(asked: list[bytes], before: list[bytes]) -> None:
    """Raise Fault if one prefix begins with another one and not both are old, or if there are too many.

    In order, a prefix stands before all that begin with it. `outer` are those with which the present one begins.
    """
    if len(asked) + len(before) > PREFIXES_MAX:
        raise Fault("TOO_MANY_PREFIXES", most=PREFIXES_MAX)
    places = sorted([(prefix, i) for i, prefix in enumerate(asked)] + [(prefix, -1) for prefix in before])
    outer: list[tuple[bytes, int]] = []
    for second, j in places:
        while outer and not second.startswith(outer[-1][0]):
            outer.pop()
        for first, i in outer:
            if i < 0 <= j:
                raise Fault("PREFIX_OVERLAPS", prefix=_as_text(second), other=_as_text(first))
            if j < 0 <= i:
                raise Fault("PREFIX_OVERLAPS", prefix=_as_text(first), other=_as_text(second))
            if i >= 0:
                prefix, other = (first, second) if i < j else (second, first)
                raise Fault("PREFIXES_OVERLAP", prefix=_as_text(prefix), other=_as_text(other))
        outer.append((second, j))


def client_tracking(engine: Engine, session: Session, args: dict[str, Any], now: int) -> Value:
    """Begin or end to tell the session which keys have changed. Raises Fault for options that contradict each other or
    those of before."""
    asked = _asked(engine, args)
    if args["switch"] == "ON":
        _check(asked, session.tracking)
        engine.tracking.start(session, asked)
    else:
        engine.tracking.stop(session)
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

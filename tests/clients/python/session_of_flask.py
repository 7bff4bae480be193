"""Flask-Session: a shop whose carts are sessions in the server."""

from datetime import timedelta
from typing import Any

import flask
import redis
from flask_session import Session
from sessions import HOST, run


def session(port: int) -> None:
    client = redis.Redis(HOST, port)
    app = flask.Flask("shop")
    app.config.update(
        SECRET_KEY="only here", SESSION_TYPE="redis", SESSION_REDIS=client, SESSION_KEY_PREFIX="shop:",
        PERMANENT_SESSION_LIFETIME=timedelta(seconds=200),
    )
    Session(app)

    @app.post("/cart/<item>")
    def put(item: str) -> dict[str, Any]:
        cart = flask.session.setdefault("cart", {})
        cart[item] = cart.get(item, 0) + 1
        flask.session.modified = True
        return cart

    @app.post("/leave")
    def leave() -> dict[str, Any]:
        flask.session.clear()
        return {}

    shoppers = [app.test_client() for _ in range(20)]
    for i, shopper in enumerate(shoppers):
        for _ in range(3):
            assert shopper.post(f"/cart/tea{i}").status_code == 200
        assert shopper.post("/cart/cake").json == {f"tea{i}": 3, "cake": 1}
    keys = client.keys("shop:*")
    assert len(keys) == 20 and all(190 < client.ttl(key) <= 200 for key in keys)
    assert shoppers[3].post("/leave").json == {} and len(client.keys("shop:*")) == 19
    assert shoppers[3].post("/cart/tea").json == {"tea": 1}
    client.delete(*keys)
    assert shoppers[4].post("/cart/tea").json == {"tea": 1}


run(session)

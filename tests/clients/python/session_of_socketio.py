"""python-socketio: two servers share rooms through its manager, and a program without a server emits to them."""

import logging
import threading
from typing import Any

import redis
import socketio
from sessions import HOST, eventually, run
from werkzeug.serving import make_server


def session(port: int) -> None:
    logging.disable()
    client = redis.Redis(HOST, port)
    url = f"redis://{HOST}:{port}/0"
    servers: list[Any] = []
    heard: dict[str, list[Any]] = {"a": [], "b": []}
    callbacks: list[Any] = []

    def begin() -> tuple[Any, Any]:
        server = socketio.Server(async_mode="threading", client_manager=socketio.RedisManager(url))
        server.on("enter", lambda sid, room: server.enter_room(sid, room))
        server.on("say", lambda sid, room, text: server.emit("said", text, room=room))
        web = make_server(HOST, 0, socketio.WSGIApp(server), threaded=True)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        servers.append(web)
        return server, f"http://{HOST}:{web.server_port}"

    def join(name: str, address: str) -> Any:
        made = socketio.Client(reconnection=False)
        made.on("said", lambda text: heard[name].append(text) or f"{name} heard it")
        made.connect(address, transports=["websocket"])
        made.call("enter", "hall")
        return made

    (first, first_at), (_, second_at) = begin(), begin()
    clients = [join("a", first_at), join("b", second_at)]
    eventually(lambda: client.pubsub_numsub("socketio")[0][1] == 2)
    try:
        clients[0].emit("say", ("hall", "from a"))
        clients[1].emit("say", ("hall", "from b"))
        outside = socketio.RedisManager(url, write_only=True)
        for i in range(50):
            outside.emit("said", {"n": i}, room="hall")
        for name in heard:
            eventually(lambda name=name: len(heard[name]) == 52)
            assert [one for one in heard[name] if isinstance(one, dict)] == [{"n": i} for i in range(50)]
            assert {"from a", "from b"} <= {one for one in heard[name] if isinstance(one, str)}
        first.emit("said", "answer me", to=clients[1].get_sid(), callback=callbacks.append)
        eventually(lambda: callbacks == ["b heard it"])
        first.disconnect(clients[1].get_sid())
        eventually(lambda: not clients[1].connected)
    finally:
        for web in servers:
            web.shutdown()


run(session)

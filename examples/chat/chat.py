"""Serve the page of a chat, which talks to Synap directly.

    synap serve --set server.cors_origins=http://127.0.0.1:8000
    python examples/chat/chat.py [http://127.0.0.1:15500] [--port 8000]

Open the printed address in two windows. The page has another origin (another port) than Synap, and pages of other
origins may neither write nor open a WebSocket unless `server.cors_origins` names their origin.

A room of the chat is a room of a Synap stream. The page follows it over a WebSocket from offset 0, so a new window also
shows earlier messages. After a lost connection the page continues at its offset. It sends a message by
POST /stream/{room}/publish. The program uses only the standard library.
"""

import argparse
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, urlsplit

PAGE = Path(__file__).with_name("chat.html")


class Handler(BaseHTTPRequestHandler):
    """An HTTP handler that serves the page and nothing else."""

    def do_GET(self) -> None:
        if urlsplit(self.path).path != "/":
            self.send_error(404)
            return
        body = PAGE.read_bytes()
        self.send_response(200)
        self.send_header("content-type", "text/html; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log no requests."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server", nargs="?", default="http://127.0.0.1:15500", help="where Synap answers HTTP")
    parser.add_argument("--port", type=int, default=8000, help="where the page is served; 0 takes a free one")
    options = parser.parse_args()
    with ThreadingHTTPServer(("127.0.0.1", options.port), Handler) as pages:
        origin = f"http://127.0.0.1:{pages.server_port}"
        print(f"{origin}/?server={quote(options.server, safe=':/')}&room=chat-page", flush=True)
        print(f"Synap must have been started with --set server.cors_origins={origin}", flush=True)
        try:
            pages.serve_forever()
        except KeyboardInterrupt:
            pass
    return 0


if __name__ == "__main__":
    sys.exit(main())

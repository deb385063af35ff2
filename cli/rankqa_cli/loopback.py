"""Pages on the loopback interface: this machine's browsers see them, no other machine does."""

import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from shared_engine.names import UsageProblem

HOST = "127.0.0.1"


def require_free(port: int) -> int:
    """The port, or for 0 a free one.

    Raises:
        UsageProblem: another program listens there, or the user may not.
    """
    with socket.socket() as probe:
        # As servers do: a port that was closed a moment ago counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise UsageProblem(
                f"cannot listen on {HOST}:{port}: {error.strerror or error}; give another --port, or 0 for any free one"
            ) from error
        return probe.getsockname()[1]


class LivePage:
    """One HTML page, served until `stop`.

    Args:
        html: the page.
        port: of 127.0.0.1; 0 for any free one.

    Raises:
        UsageProblem: the port is taken.
    """

    def __init__(self, html: str, port: int) -> None:
        content = html.encode()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path != "/":
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: object) -> None:
                """Requests are no news."""

        self.server = ThreadingHTTPServer((HOST, require_free(port)), Handler)
        self.url = f"http://{HOST}:{self.server.server_port}"
        Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        """Close the page."""
        self.server.shutdown()
        self.server.server_close()

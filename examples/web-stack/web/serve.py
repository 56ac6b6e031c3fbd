"""Answers every request with the greeting of its environment."""

import http.server
import os


class Greeting(http.server.BaseHTTPRequestHandler):
    """Says hello."""

    def do_GET(self) -> None:
        """Answer."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{os.environ['GREETING']}\n".encode())


http.server.ThreadingHTTPServer(("", 8000), Greeting).serve_forever()

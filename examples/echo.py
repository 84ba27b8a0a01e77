"""A service to try the examples with: answers every request with its own name and the request as it arrived.

    python3 examples/echo.py 9001               # answers as "9001"
    python3 examples/echo.py 9001 reviews-v1    # answers as "reviews-v1"
    python3 examples/echo.py 9443 shop --tls certs/tls.crt certs/tls.key

`/sleep/3` answers after 3 seconds, `/fail/503` with that status. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import contextlib
import ssl
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one packet
    name = ""

    def answer(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        first, _, argument = self.path.partition("?")[0].strip("/").partition("/")
        if first == "sleep":
            time.sleep(float(argument))
        status = int(argument) if first == "fail" else 200
        lines = [f"{self.name} got", self.requestline, *(f"{key}: {value}" for key, value in self.headers.items())]
        body = ("\n".join(lines) + "\n").encode()
        self.send_response(status)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers every request with its name and the request.")
    parser.add_argument("port", type=int)
    parser.add_argument("name", nargs="?")
    parser.add_argument("--tls", nargs=2, metavar=("CERTIFICATE", "KEY"), help="PEM files")
    chosen = parser.parse_args()
    with ThreadingHTTPServer(("127.0.0.1", chosen.port), Echo) as server:
        Echo.name = chosen.name or str(server.server_port)
        if chosen.tls:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            context.load_cert_chain(*chosen.tls)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        print(f"{Echo.name} listens on 127.0.0.1:{server.server_port}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


if __name__ == "__main__":
    main()

"""Paths as Go's server (net/http's ServeMux) takes them, and Consul with it: what is not clean is sent to its clean
form."""

from __future__ import annotations

import posixpath
from html import escape
from urllib.parse import quote, unquote

from aiohttp import web


def cleaned(path: str) -> str:
    """Without `//`, `.` and `..`."""
    clean = posixpath.normpath("/" + path.lstrip("/"))
    return clean + "/" if path.endswith("/") and clean != "/" else clean


def elsewhere(request: web.Request, folders: frozenset[str]) -> str | None:
    """Where a path that nothing answers would be answered: its clean form, or with a slash behind `folders`."""
    path = unquote(request.rel_url.raw_path)
    clean = cleaned(path)
    if path.startswith("//"):
        return None
    if clean != path:
        return clean
    return clean + "/" if clean + "/" in folders else None


def moved(request: web.Request, path: str) -> web.HTTPMovedPermanently:
    query = request.rel_url.raw_query_string
    place = quote(path) + (f"?{query}" if query else "")
    # Go's http.Redirect says where in words to readers alone.
    if request.method not in ("GET", "HEAD"):
        answer = web.HTTPMovedPermanently(place, text="")
        del answer.headers["Content-Type"]
        return answer
    said = f'<a href="{escape(place)}">Moved Permanently</a>.\n\n'
    return web.HTTPMovedPermanently(place, text=said, content_type="text/html")

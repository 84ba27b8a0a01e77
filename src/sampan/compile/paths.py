"""PathRewrite → the path fields of a RouteAction or a RedirectAction.

`ReplacePrefixMatch` works by path segment (its table of examples in the Gateway API: HTTPPathModifier). Envoy's
`prefix_rewrite` puts text for text, which is the same unless the new prefix is empty: then the remainder `/bar` of
`/foo/bar` stands alone, but of `/foo` nothing is left where `/` is due. That case is a `regex_rewrite`.
"""

from __future__ import annotations

import re
from typing import Any

from sampan.model.plan import PathRewrite


def fill_rewrite(action: Any, path: PathRewrite) -> None:
    """Of a RouteAction, where a full path is a regex over the whole path; the query stays."""
    if path.kind == "full":
        _regex(action, "^/.*$", path.value or "/")
    else:
        _prefix(action, path)


def fill_redirect(action: Any, path: PathRewrite) -> None:
    """Of a RedirectAction. `path_redirect` keeps the request's query, as `prefix_rewrite` does, unless it has one."""
    if path.kind == "full":
        action.path_redirect = path.value or "/"
    else:
        _prefix(action, path)


def _prefix(action: Any, path: PathRewrite) -> None:
    matched, value = path.matched.rstrip("/"), path.value.rstrip("/")
    if matched and value:
        action.prefix_rewrite = value
    elif matched:
        _regex(action, f"^{re.escape(matched)}/*", "/")
    else:
        action.prefix_rewrite = f"{value}/"


def _regex(action: Any, pattern: str, substitution: str) -> None:
    """A backslash in a substitution starts a reference to a group; doubled it is itself (RE2's Rewrite)."""
    action.regex_rewrite.pattern.regex = pattern
    action.regex_rewrite.substitution = substitution.replace("\\", "\\\\")

"""Pages in a browser: whoever registers here says where requests go, and a page from anywhere runs on this machine.

Without a token the loopback interface is the only door, and a browser is inside of it. So what comes from another
site's page is refused, and what comes by a name that is not this machine's own: such a name can be made to lead here
(DNS rebinding), and then the browser takes the stranger's page for ours. Only browsers send `Origin` or
`Sec-Fetch-Site` (https://developer.mozilla.org/docs/Glossary/Fetch_metadata_request_header); a page cannot leave them
out. Typing an address, or following a link to one, still shows it.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

_OURS = frozenset(("same-origin", "none"))


def from_strangers_page(method: str, headers: Mapping[str, str]) -> bool:
    origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
    if origin is None and site is None:
        return False
    host = headers.get("Host", "")
    if not _is_this_machine(host) or (origin is not None and urlsplit(origin).netloc != host):
        return True
    shown = method == "GET" and headers.get("Sec-Fetch-Mode") == "navigate"
    return site is not None and site not in _OURS and not shown


def _is_this_machine(host: str) -> bool:
    """An address cannot be made to lead elsewhere, and browsers resolve `localhost` themselves."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        if name == "localhost":
            return True
        ip_address(name)
    except ValueError:
        return False
    return True

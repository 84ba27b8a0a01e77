"""Publication: registered services on a Gateway by rule, without a document for each."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from fnmatch import translate
from functools import lru_cache
from typing import Annotated

from pydantic import Field

from sampan.documents.kinds.references import ParentReference, parent_mistakes
from sampan.documents.kinds.scalars import HOSTNAME_PATTERN, PATH_PATTERN, WORDS, Boolean, LabelKey, LabelValue, matches
from sampan.documents.kinds.shape import NO_STRINGS, Frozen, Mistake, Ruled, Spec, duplicates

SERVICE = "{service}"
# What stands in the place of `{service}` when a pattern is looked at: a name that is good everywhere.
_EXAMPLE = "service"
# What separates the parts of a name; no host name begins with it.
_BETWEEN = ".-"

NamePattern = Annotated[str, Field(min_length=1, max_length=253)]


class PublishedServices(Ruled):
    """Which services. All conditions must hold; without any, all registered services of the namespace."""

    names: Annotated[tuple[NamePattern, ...], Field(max_length=64)] = ()
    """Registered names, any of them: `reviews`, or with `*` for any characters: `go.micro.api.*`."""
    exclude: Annotated[tuple[NamePattern, ...], Field(max_length=64)] = ()
    """Names that are left out, written in the same way."""
    match_labels: Annotated[Mapping[LabelKey, LabelValue], Frozen] = NO_STRINGS
    """Labels that some instance of the service has: its meta, and `tag.sampan.dev/NAME: "true"` for its tags."""

    def mistakes(self) -> Iterator[Mistake]:
        for field, patterns in (("names", self.names), ("exclude", self.exclude)):
            for index, first, _ in duplicates(patterns, lambda pattern: pattern):
                yield Mistake(f"already in {field}[{first}]", (field, index))

    def takes_name(self, name: str) -> bool:
        if any(_pattern(pattern).fullmatch(name) for pattern in self.exclude):
            return False
        return not self.names or any(_pattern(pattern).fullmatch(name) for pattern in self.names)


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    """`*` alone is special: the other signs of shell patterns are escaped."""
    return re.compile(translate(re.sub(r"[\[?]", r"[\g<0>]", text)))


class Publication(Spec):
    """Publishes registered services of its namespace on a Gateway: each gets an HTTPRoute of its own, made and removed
    as the service comes and goes.

    `{service}` stands for the service's name in `path` and `hostnames`. The routes are shown by `sampan get httproutes`
    under the names `PUBLICATION:SERVICE`; a route in a document that matches more specifically goes before them.
    """

    parent_refs: Annotated[tuple[ParentReference, ...], Field(min_length=1, max_length=32)]
    """The Gateways (or listeners of them) on which the services appear."""
    services: PublishedServices = PublishedServices()
    trim_prefix: Annotated[str, Field(max_length=253)] = ""
    """Left out of the name in `{service}`, with or without what separates it from the rest: with `go.micro.api.` the
    service `go.micro.api.greeter` is at `/greeter`."""
    path: Annotated[str, Field(max_length=1024)] = ""
    """The path prefix of a service. `/{service}` if absent, and `/` where a host name says which service it is."""
    hostnames: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=253)], ...], Field(max_length=16)] = ()
    """`shop.example.com`, `{service}.example.com`. All hosts of the listener if absent."""
    keep_path: Boolean = False
    """The service sees the whole path; otherwise the prefix is taken away: `/greeter/hello` arrives as `/hello`."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from parent_mistakes(self.parent_refs)
        path = self.path.replace(SERVICE, _EXAMPLE)
        if path and not (path.startswith("/") and matches(PATH_PATTERN, path)):
            yield Mistake(f"a path starts with '/' and is made of {WORDS[PATH_PATTERN]}", ("path",))
        for index, hostname in enumerate(self.hostnames):
            if not matches(HOSTNAME_PATTERN, hostname.replace(SERVICE, _EXAMPLE)):
                yield Mistake(f"not {WORDS[HOSTNAME_PATTERN]} or '{{service}}.example.com'", ("hostnames", index))
        named = [SERVICE in hostname for hostname in self.hostnames]
        if self.path and SERVICE not in self.path and not (named and all(named)):
            yield Mistake(
                "all services would be at one place",
                ("path",),
                "write '{service}' into the path, or into every host name",
            )

    def place(self, name: str) -> tuple[str, tuple[str, ...]]:
        """(path prefix, host names) of the service of that object name."""
        short = name.removeprefix(self.trim_prefix).lstrip(_BETWEEN) or name
        by_host = bool(self.hostnames) and all(SERVICE in hostname for hostname in self.hostnames)
        path = self.path or ("/" if by_host else f"/{SERVICE}")
        return path.replace(SERVICE, short), tuple(host.replace(SERVICE, short) for host in self.hostnames)

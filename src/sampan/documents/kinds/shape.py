"""What every class of a document has in common: frozen, closed, camelCase outside; and how rules are written."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, NoReturn, Self, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from sampan.model.codes import BROKEN_RULE, Code

Path = tuple[str | int, ...]
K = TypeVar("K")
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Mistake:
    """A rule broken by a document. `field` is relative to the object whose rule it is, in the document's own words."""

    reason: str
    field: Path = ()
    hint: str = ""
    code: Code = BROKEN_RULE


@dataclass(frozen=True, slots=True)
class Unsupported:
    """A field that the Gateway API has and Sampan does not act on yet: accepted, and said."""

    field: Path
    reason: str


def refuse(mistakes: Iterable[Mistake]) -> None:
    """Raises, inside a validator, all mistakes at once; `documents.mistakes` turns them into diagnostics."""
    found = tuple(mistakes)
    if found:
        raise PydanticCustomError("mistakes", "rules broken", {"mistakes": found})


class Shape(BaseModel):
    """Documents are validated by their camelCase names only (`load` passes `by_name=False`); Python code builds objects
    by attribute names. `defer_build` keeps the import cheap: a class is built when its first document comes."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        defer_build=True,
        hide_input_in_errors=True,
        protected_namespaces=(),
    )


class Ruled(Shape):
    """A Shape with rules over several fields. `mistakes` yields all; it runs when each field by itself is right."""

    def mistakes(self) -> Iterator[Mistake]:
        yield from ()

    @model_validator(mode="after")
    def _uphold(self) -> Self:
        refuse(self.mistakes())
        return self


class Spec(Ruled):
    """What a kind says: its `spec`, or the document's own fields where it has no `spec` (Secret, EndpointSlice)."""

    def unsupported(self) -> Iterator[Unsupported]:
        """Fields in use that Sampan does not act on yet; paths are relative to the spec."""
        yield from ()


class FrozenDict(dict[K, V]):
    """A mapping that cannot change and can be hashed."""

    __slots__ = ()

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("a FrozenDict cannot change")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (FrozenDict, (dict(self),))


Frozen = AfterValidator(FrozenDict)
Strings = Annotated[Mapping[str, str], Frozen]
NO_STRINGS: Mapping[str, str] = FrozenDict()


def duplicates(items: Iterable[V], key: Callable[[V], Hashable | None]) -> Iterator[tuple[int, int, V]]:
    """(index, index of the first, item) for each item whose key was there before; items with key None do not count."""
    first: dict[Hashable, int] = {}
    for index, item in enumerate(items):
        value = key(item)
        if value is None:
            continue
        if value in first:
            yield index, first[value], item
        else:
            first[value] = index

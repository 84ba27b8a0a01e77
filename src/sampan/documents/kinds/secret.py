"""Secret and ConfigMap. What a Secret holds never shows in repr, messages or dumps: it has to be asked for."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, GetPydanticSchema, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

from sampan.documents.kinds.scalars import DATA_KEY_PATTERN, Boolean
from sampan.documents.kinds.shape import Frozen, FrozenDict, Mistake, Spec

FILES_PREFIX = "files.sampan.dev/"
"""Annotations `files.sampan.dev/tls.crt: certs/shop.pem` fill the key `tls.crt` from a file beside the document."""

REDACTED = "<redacted>"


class Sealed:
    """Bytes that do not print. Equal and hashed by content, so that an unchanged Secret stays unchanged."""

    __slots__ = ("_content",)

    def __init__(self, content: bytes) -> None:
        self._content = content

    def reveal(self) -> bytes:
        """The content. Whoever calls this answers for where it goes."""
        return self._content

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sealed) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)

    def __reduce__(self) -> Any:
        raise TypeError("a sealed value is not pickled")


def _decoded(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise PydanticCustomError("base64", "not base64") from None


def _sealed_base64(value: object) -> object:
    content = _decoded(value)
    if isinstance(content, bytes):
        return Sealed(content)
    if isinstance(content, Sealed):
        return content
    raise PydanticCustomError("string_type", "a string")


def _sealed_text(value: object) -> object:
    if isinstance(value, str):
        return Sealed(value.encode())
    if isinstance(value, Sealed):
        return value
    raise PydanticCustomError("string_type", "a string")


_SEALED: Any = GetPydanticSchema(lambda _source, _handler: core_schema.is_instance_schema(Sealed))
_HIDDEN = PlainSerializer(lambda _: REDACTED, return_type=str)
_AS_TEXT = WithJsonSchema({"type": "string"})
_AS_BASE64 = WithJsonSchema({"type": "string", "format": "byte"})
SealedBase64 = Annotated[Sealed, _SEALED, BeforeValidator(_sealed_base64), _HIDDEN, _AS_BASE64]
SealedText = Annotated[Sealed, _SEALED, BeforeValidator(_sealed_text), _HIDDEN, _AS_TEXT]
Base64 = Annotated[
    bytes,
    BeforeValidator(_decoded),
    PlainSerializer(lambda content: base64.b64encode(content).decode(), return_type=str),
    _AS_BASE64,
]
DataKey = Annotated[str, Field(pattern=DATA_KEY_PATTERN, min_length=1, max_length=253)]

_NO_SECRETS: Mapping[str, Sealed] = FrozenDict()
_NO_BYTES: Mapping[str, bytes] = FrozenDict()
_NO_TEXTS: Mapping[str, str] = FrozenDict()


class Secret(Spec):
    """Certificates and keys. Values may be base64 (`data`), plain (`stringData`), or in files beside the document:

        metadata:
          annotations:
            files.sampan.dev/tls.crt: certs/shop.pem
            files.sampan.dev/tls.key: certs/shop.key

    A path is relative to the document's folder and may not lead out of the folder that Sampan was given (by `..`, as an
    absolute path, or through a symbolic link). A changed file takes effect like a changed document.
    """

    type: Annotated[str, Field(max_length=253)] = "Opaque"
    """`kubernetes.io/tls` for a certificate with its key under `tls.crt` and `tls.key`."""
    data: Annotated[Mapping[DataKey, SealedBase64], Frozen] = _NO_SECRETS
    string_data: Annotated[Mapping[DataKey, SealedText], Frozen] = _NO_SECRETS
    """Wins over `data`, as in Kubernetes."""
    immutable: Boolean | None = None

    def value(self, key: str) -> Sealed | None:
        """What is under `key`, wherever it was written."""
        return self.string_data.get(key) or self.data.get(key)

    def with_files(self, contents: Mapping[str, bytes]) -> Secret:
        """The same Secret with keys filled from files."""
        sealed = {key: Sealed(content) for key, content in contents.items()}
        return self.model_copy(update={"string_data": FrozenDict({**self.string_data, **sealed})})


class ConfigMap(Spec):
    """Text that is no secret: the certificates of authorities under `ca.crt`. Files as for a Secret."""

    data: Annotated[Mapping[DataKey, str], Frozen] = _NO_TEXTS
    binary_data: Annotated[Mapping[DataKey, Base64], Frozen] = _NO_BYTES
    immutable: Boolean | None = None

    def mistakes(self) -> Iterator[Mistake]:
        for key in self.data:
            if key in self.binary_data:
                yield Mistake(f"'{key}' is also in data", ("binaryData", key), "remove one of the two")

    def value(self, key: str) -> bytes | None:
        """What is under `key`, wherever it was written."""
        return self.data[key].encode() if key in self.data else self.binary_data.get(key)

    def with_files(self, contents: Mapping[str, bytes]) -> ConfigMap:
        """The same ConfigMap with keys filled from files."""
        kept = {key: text for key, text in self.data.items() if key not in contents}
        return self.model_copy(
            update={"data": FrozenDict(kept), "binary_data": FrozenDict({**self.binary_data, **contents})}
        )

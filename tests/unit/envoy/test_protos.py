"""The door to the messages: what it names is there, and what has no Python class can still be sent."""

from __future__ import annotations

import pytest

from sampan.envoy import protos

PACKAGES = {name: value for name, value in vars(protos).items() if isinstance(value, protos.Package)}


@pytest.mark.parametrize("name", PACKAGES)
def test_every_package_exists_with_every_module_named(name: str) -> None:
    package = PACKAGES[name]
    present = protos._modules_of(package._package)
    assert present
    assert set(package._modules) <= set(present)


def test_an_unknown_message_says_so() -> None:
    with pytest.raises(AttributeError, match=r"envoy\.config\.route\.v3 has no message Rout"):
        _ = protos.route.Rout


def test_a_class_is_found_by_type_url_or_not_at_all() -> None:
    router = protos.message_class("type.googleapis.com/envoy.extensions.filters.http.router.v3.Router")
    assert router is protos.router.Router
    assert protos.message_class("type.googleapis.com/envoy.extensions.filters.http.file_server.v3.FileServer") is None
    assert protos.message_class("") is None


def test_a_message_without_a_class_goes_as_a_typed_struct() -> None:
    packed = protos.typed_struct("a.b.C", {"size": 3})
    message = protos.xds_type.TypedStruct()
    assert packed.Unpack(message)
    assert message.type_url == "type.googleapis.com/a.b.C"
    assert dict(message.value) == {"size": 3.0}

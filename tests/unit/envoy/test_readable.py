"""Rows for people show no secret."""

from __future__ import annotations

import json

from sampan.envoy import protos, types
from sampan.envoy.readable import REDACTED, readable
from sampan.envoy.table import row

KEY = "-----BEGIN PRIVATE KEY-----"


def test_private_keys_do_not_show_however_they_are_given() -> None:
    for field in ("inline_bytes", "inline_string"):
        secret = protos.tls.Secret(name="shop")
        secret.tls_certificate.certificate_chain.inline_string = "chain"
        setattr(secret.tls_certificate.private_key, field, KEY.encode() if field == "inline_bytes" else KEY)
        secret.tls_certificate.password.inline_string = "hush"
        shown = readable(row(types.SECRET, "shop", secret.SerializeToString()))
        assert shown["tls_certificate"]["certificate_chain"] == {"inline_string": "chain"}
        assert shown["tls_certificate"]["private_key"] == {"inline_string": REDACTED}
        assert shown["tls_certificate"]["password"] == {"inline_string": REDACTED}


def test_the_place_of_a_key_may_show() -> None:
    secret = protos.tls.Secret(name="shop")
    secret.tls_certificate.private_key.filename = "/etc/shop.key"
    shown = readable(row(types.SECRET, "shop", secret.SerializeToString()))
    assert shown["tls_certificate"]["private_key"] == {"filename": "/etc/shop.key"}


def test_lists_of_keys_do_not_show() -> None:
    secret = protos.tls.Secret(name="tickets")
    secret.session_ticket_keys.keys.add().inline_bytes = b"k" * 80
    secret.session_ticket_keys.keys.add().inline_bytes = b"m" * 80
    shown = readable(row(types.SECRET, "tickets", secret.SerializeToString()))
    assert shown["session_ticket_keys"]["keys"] == [{"inline_string": REDACTED}] * 2


def test_secrets_by_name_do_not_show() -> None:
    secret = protos.tls.Secret(name="tokens")
    secret.generic_secret.secrets["api"].inline_string = "hush"
    shown = readable(row(types.SECRET, "tokens", secret.SerializeToString()))
    assert shown["generic_secret"]["secrets"] == {"api": {"inline_string": REDACTED}}


def test_secrets_inside_packed_messages_do_not_show() -> None:
    context = protos.tls.DownstreamTlsContext()
    context.common_tls_context.tls_certificates.add().private_key.inline_string = KEY
    listener = protos.listener.Listener(name="https")
    socket = listener.filter_chains.add().transport_socket
    socket.name = "tls"
    socket.typed_config.Pack(context)
    shown = readable(row(types.LISTENER, "https", listener.SerializeToString()))
    assert KEY not in json.dumps(shown)
    assert REDACTED in json.dumps(shown)


def test_what_is_no_secret_shows_with_envoys_own_names() -> None:
    cluster = protos.cluster.Cluster(name="service/default/cart/80", alt_stat_name="cart")
    shown = readable(row(types.CLUSTER, cluster.name, cluster.SerializeToString()))
    assert shown == {"name": "service/default/cart/80", "alt_stat_name": "cart"}

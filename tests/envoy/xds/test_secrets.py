"""Secrets are shared by those who use them: a cluster or listener that changes does not wait for what it has."""

from __future__ import annotations

import asyncio
import datetime
import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from xds_harness import DEADLINE, SCOPE, backend, cluster_row, endpoint_row, listener_row, route_row, running, until

from sampan.envoy import protos
from sampan.envoy.consistent import dangling
from sampan.envoy.table import Row, row, table
from sampan.envoy.types import CLUSTER, LISTENER, SECRET
from sampan.xds.control import Control, Notice
from sampan.xds.events import GaveUp
from sampan.xds.server import serving

pytestmark = pytest.mark.envoy


def certificate(name: str) -> tuple[bytes, bytes]:
    """A self-signed certificate and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    return built.public_bytes(encoding), key.private_bytes(encoding, form, serialization.NoEncryption())


def certificate_row(name: str) -> Row:
    secret = protos.tls.Secret(name="certificate")
    chain, key = certificate(name)
    secret.tls_certificate.certificate_chain.inline_bytes = chain
    secret.tls_certificate.private_key.inline_bytes = key
    return row(SECRET, "certificate", secret.SerializeToString())


def trust_row() -> Row:
    secret = protos.tls.Secret(name="trust")
    secret.validation_context.trusted_ca.inline_bytes = certificate("ca")[0]
    return row(SECRET, "trust", secret.SerializeToString())


def by_sds(config: Any) -> None:
    config.sds_config.ads.SetInParent()
    config.sds_config.resource_api_version = protos.core.ApiVersion.Value("V3")


def tls_cluster(milliseconds: int) -> Row:
    message = protos.cluster.Cluster.FromString(cluster_row("tls", milliseconds).body)
    context = protos.tls.UpstreamTlsContext(sni="x")
    context.common_tls_context.validation_context_sds_secret_config.name = "trust"
    by_sds(context.common_tls_context.validation_context_sds_secret_config)
    message.transport_socket.name = "tls"
    message.transport_socket.typed_config.Pack(context)
    return row(CLUSTER, "tls", message.SerializeToString())


def tls_listener(port: int, prefix: str) -> Row:
    message = protos.listener.Listener.FromString(listener_row(port, prefix=prefix).body)
    context = protos.tls.DownstreamTlsContext()
    by_sds(context.common_tls_context.tls_certificate_sds_secret_configs.add(name="certificate"))
    message.filter_chains[0].transport_socket.name = "tls"
    message.filter_chains[0].transport_socket.typed_config.Pack(context)
    return row(LISTENER, "http", message.SerializeToString())


async def shown(port: int) -> str:
    """The common name of the certificate that a listener shows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    try:
        found = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
        return str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    finally:
        writer.close()


def test_a_changed_cluster_and_listener_keep_their_secrets_and_a_rotated_one_is_shown(folder: Path) -> None:
    async def scenario() -> None:
        control = Control(linger=0.05)
        given_up: list[Notice] = []
        control.observe(lambda notice: given_up.append(notice) if isinstance(notice.what, GaveUp) else None)
        async with backend("x") as port, serving(control, folder / "xds.sock"), running(folder) as envoy:

            async def shows(name: str) -> None:
                async def right() -> bool:
                    return await shown(envoy.port) == name

                await until(right, f"the certificate of {name}")

            async def publish(*rows: Row) -> None:
                nonlocal now
                now = now.with_rows(rows)
                assert await control.settled(SCOPE, control.publish(SCOPE, now), DEADLINE)
                assert given_up == []

            now = table([endpoint_row("tls", port), route_row({"/": "tls"}), trust_row(), certificate_row("one")])
            await publish(tls_cluster(1000), tls_listener(envoy.port, "first"))
            assert dangling(now) == ()
            await shows("one")
            await publish(tls_cluster(2000))
            await publish(tls_listener(envoy.port, "second"))
            await shows("one")

            async def warm() -> bool:
                warming = await envoy.stat("cluster_manager.warming_clusters")
                return warming + await envoy.stat("listener_manager.total_listeners_warming") == 0

            await until(warm, "nothing warms")
            assert await envoy.stat("cluster_manager.cluster_modified") == 1
            await publish(certificate_row("two"))
            await shows("two")

    asyncio.run(scenario())

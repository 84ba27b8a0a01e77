"""The messages made in Python are those of `stock.proto`."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

from google.protobuf import descriptor_pb2

from sampan.demo import stock_messages as messages
from sampan.demo.stock_client import origin


def test_the_proto_file_says_the_same(tmp_path: Path) -> None:
    source = Path(str(files("sampan.demo") / "documents" / "stock.proto"))
    compiled = tmp_path / "stock.bin"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"-I{source.parent}",
            f"--descriptor_set_out={compiled}",
            str(source),
        ],
        check=True,
        timeout=30,
    )
    (written,) = descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file
    made = messages.stock_file()
    for file in (written, made):
        file.name = ""
        for message in file.message_type:
            for field in message.field:
                field.ClearField("json_name")
    assert _sorted(made) == _sorted(written)


def _sorted(file: descriptor_pb2.FileDescriptorProto) -> tuple[str, list[bytes], list[bytes]]:
    messages_ = sorted(message.SerializeToString(deterministic=True) for message in file.message_type)
    return file.package, messages_, [service.SerializeToString(deterministic=True) for service in file.service]


def test_a_level_comes_back_from_its_bytes() -> None:
    level = messages.Level(product="kettle", units=7)
    getattr(level, "from").instance = "stock-1"
    again = messages.Level.FromString(level.SerializeToString())
    assert (again.product, again.units, origin(again)["instance"]) == ("kettle", 7, "stock-1")

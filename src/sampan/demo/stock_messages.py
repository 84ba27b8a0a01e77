"""The messages of the gRPC service `shop.v1.Stock`, and of `grpc.health.v1.Health`, made without protoc.

Their text form, for people and for grpcurl, is `documents/stock.proto`; a test compiles it and compares. They live in a
pool of their own, so that they never meet another copy of the health service's messages.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

SERVICE = "shop.v1.Stock"
HEALTH_SERVICE = "grpc.health.v1.Health"

_Field = descriptor_pb2.FieldDescriptorProto
_STRING, _INT32, _UINT32, _ENUM, _MESSAGE = (
    _Field.TYPE_STRING,
    _Field.TYPE_INT32,
    _Field.TYPE_UINT32,
    _Field.TYPE_ENUM,
    _Field.TYPE_MESSAGE,
)


def stock_file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(name="shop/v1/stock.proto", package="shop.v1", syntax="proto3")
    _message(file, "Instance", ("service", _STRING), ("version", _STRING), ("instance", _STRING), ("pid", _INT32))
    _message(file, "Level", ("product", _STRING), ("units", _UINT32), ("from", _MESSAGE, ".shop.v1.Instance"))
    _message(file, "LevelRequest", ("product", _STRING))
    levels = _message(file, "Levels", ("levels", _MESSAGE, ".shop.v1.Level"), ("from", _MESSAGE, ".shop.v1.Instance"))
    levels.field[0].label = _Field.LABEL_REPEATED
    _message(file, "LevelsRequest")
    _message(file, "WatchRequest", ("interval_ms", _UINT32))
    service = file.service.add(name="Stock")
    for name, request, response, streams in (
        ("GetLevel", "LevelRequest", "Level", False),
        ("ListLevels", "LevelsRequest", "Levels", False),
        ("Watch", "WatchRequest", "Levels", True),
    ):
        method = service.method.add(name=name, input_type=f".shop.v1.{request}", output_type=f".shop.v1.{response}")
        if streams:
            method.server_streaming = True
    return file


def health_file() -> descriptor_pb2.FileDescriptorProto:
    """https://github.com/grpc/grpc/blob/master/doc/health-checking.md"""
    file = descriptor_pb2.FileDescriptorProto(
        name="grpc/health/v1/health.proto", package="grpc.health.v1", syntax="proto3"
    )
    _message(file, "HealthCheckRequest", ("service", _STRING))
    status = ".grpc.health.v1.HealthCheckResponse.ServingStatus"
    response = _message(file, "HealthCheckResponse", ("status", _ENUM, status))
    names = response.enum_type.add(name="ServingStatus")
    for number, name in enumerate(("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")):
        names.value.add(name=name, number=number)
    return file


def _message(
    file: descriptor_pb2.FileDescriptorProto, name: str, *fields: tuple[Any, ...]
) -> descriptor_pb2.DescriptorProto:
    message = file.message_type.add(name=name)
    for number, (field_name, type_, *type_name) in enumerate(fields, start=1):
        field = message.field.add(name=field_name, number=number, type=type_, label=_Field.LABEL_OPTIONAL)
        if type_name:
            field.type_name = type_name[0]
    return message


_pool = descriptor_pool.DescriptorPool()
_pool.Add(stock_file())
_pool.Add(health_file())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(name))


Level = _class("shop.v1.Level")
Levels = _class("shop.v1.Levels")
LevelRequest = _class("shop.v1.LevelRequest")
LevelsRequest = _class("shop.v1.LevelsRequest")
WatchRequest = _class("shop.v1.WatchRequest")
HealthCheckRequest = _class("grpc.health.v1.HealthCheckRequest")
HealthCheckResponse = _class("grpc.health.v1.HealthCheckResponse")
SERVING, SERVICE_UNKNOWN = 1, 3

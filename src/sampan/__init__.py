"""Sampan: a service mesh and API gateway. Python decides; Envoy and the kernel carry."""

__version__ = "0.1.0"
CONTROLLER_NAME = "sampan.dev/gateway-controller"

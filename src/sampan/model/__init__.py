"""What a mesh is: frozen facts, shared by every room.

Knows neither Envoy nor Kubernetes nor Consul. Nothing here does I/O, reads a clock or mutates.
Import from the modules: `names`, `meta`, `snapshot`, `plan`, `diagnostic`, `codes`, `status`, `policy`.
"""

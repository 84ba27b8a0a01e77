"""The delta ADS server: what Envoy is told, in which order, and what it said to that.

Pure: `message` (requests and responses), `feed` (one type on one stream), `session` (the protocol of one stream).
With I/O: `control` (the server's memory and public face), `server` (the gRPC shell), `store` and `replay` (the last
rows, from disk, while no control plane is there). `nodes` says who is connected and has what.
"""

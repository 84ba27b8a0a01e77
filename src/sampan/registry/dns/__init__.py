"""Consul's DNS interface: the catalogue as names under `consul.`, over UDP and TCP.

`server` has the sockets, `query` reads packets, `zone` decides what is said, `records` turns instances into records,
`fitting` cuts what does not fit, `wire` writes packets. Everything but `server` is without I/O.
https://developer.hashicorp.com/consul/docs/services/discovery/dns-overview
"""

"""Consul's HTTP API: what is asked (`question`), how it is said (`answer`), waiting (`blocking`), a module a family."""

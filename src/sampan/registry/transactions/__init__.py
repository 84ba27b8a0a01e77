"""Transactions: several operations on keys, nodes, services and checks, done as one or not at all.

https://developer.hashicorp.com/consul/api-docs/txn, agent/consul/state/txn.go.
"""

"""Runs the agent's checks and tells the catalogue what they find.

`checking` has them all; `clock` says when, `thresholds`, `alias` and `reaping` are the rules, without I/O; `probes/`
look at services, a module a kind. As in Consul (agent/checks, agent/local/state.go), unless a module says otherwise.
"""

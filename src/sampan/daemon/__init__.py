"""The wiring: the control plane as a process. Sources in, proxies out, state on disk, questions over a Unix socket.

Nothing is decided here that a lower room could decide; here is what knows them all.
"""

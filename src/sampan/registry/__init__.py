"""The embedded registry: Consul's HTTP API and DNS for one machine, a process of its own over SQLite."""

"""The source of a registry with Consul's interface: Consul itself, or the embedded one."""

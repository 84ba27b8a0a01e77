"""What is true of Consul's HTTP API, whoever speaks it: the client, where it connects, the shapes of its answers."""

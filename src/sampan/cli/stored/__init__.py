"""Documents in Consul's KV, from the command line: what the user gave, what is there, what would change, writing it."""

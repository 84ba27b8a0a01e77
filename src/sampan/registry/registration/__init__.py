"""What a registration says: JSON as clients send it, checked with Consul's words, into rows of the catalogue. Pure."""

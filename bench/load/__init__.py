"""Open-loop load: requests leave at scheduled times whatever the answers do. Each generator is a process of its own."""

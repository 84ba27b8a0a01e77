"""The shop's services, each run as `python -m sampan.demo.services.<name>`.

They are written for people who want to see what a service behind the gateway needs: nothing. Standard library, and
grpcio where gRPC is spoken; a process is up in well under a tenth of a second.
"""

"""Real Envoy processes: a small supervisor that owns them, and what the control plane needs to speak with it.

Standard library only, and nothing from other rooms: the supervisor is the parent of everything and stays slim.
The supervisor starts the control plane as Envoy's sibling, so either may die without the other.

- `supervisor`: the process `python -m sampan.proxy.supervisor`; `keeper`, `run`, `siblings` and `control` are its parts
- `client`: what the control plane calls; `trial`: asks Envoy whether it would take a configuration
- `admin`: an Envoy's admin interface; `binary`: where Envoy is; `ports`: who has a port; `paths`: where files are
"""

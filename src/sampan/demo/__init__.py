"""The bundled shop: its services as real processes, its documents, its traffic, and what the traffic looks like.

`sampan demo` puts a gateway in front of it; nothing here knows how a gateway is made. Import from
the modules: `shop` (starts and stops it), `traffic` (keeps it busy), `check` (asks for everything once), `live` (shows
who got what).
"""

def command() -> None:
    """compile does."""

def command() -> None:
    """down does."""

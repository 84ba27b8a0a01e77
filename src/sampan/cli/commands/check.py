def command() -> None:
    """check does."""

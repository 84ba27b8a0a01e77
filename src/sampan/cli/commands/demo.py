def command() -> None:
    """demo does."""

def command() -> None:
    """up does."""

"""The `sluice search` and `sluice tail` commands: thin shells."""


def search() -> None:
    """To be written."""


def tail() -> None:
    """To be written."""

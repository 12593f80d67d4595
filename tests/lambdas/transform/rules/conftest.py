"""Rules made of what sluice.yaml would say, and documents for them."""

from collections.abc import Callable
from typing import Any

import pytest

from lambdas.transform.rules import Rules, compile_rules
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.settings import Settings
from lambdas.transform.spec import read_spec
from tests.cost import times_longer

SECRET = "correct-horse-battery-staple-0123456789"


@pytest.fixture(scope="session")
def make_rules() -> Callable[..., Rules]:
    """Compile rules from their JSON, with a key that is no secret."""

    def make(*, key: RedactionKey | None = None, **told: Any) -> Rules:
        spec = read_spec(told)
        settings = Settings(redact=spec.redact, drop=spec.drop, sample=spec.sample)
        return compile_rules(settings, key=key or RedactionKey("arn:key", fetch=lambda _: SECRET))

    return make


@pytest.fixture(scope="session")
def growth() -> Callable[..., float]:
    """By how much longer four times the text takes, halved: 2 when linear, 8 when quadratic."""

    def measure(find: Callable[[str], Any], piece: str, *, size: int = 40_000) -> float:
        def reading(length: int) -> Callable[[], list[Any]]:
            text = piece * (length // len(piece))
            return lambda: list(find(text))

        return times_longer(reading(4 * size), reading(size), below=8, floor=1e-4) / 2

    return measure

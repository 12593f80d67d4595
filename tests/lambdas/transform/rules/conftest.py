"""Rules made of what sluice.yaml would say, and documents for them."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from lambdas.transform.rules import Rules, compile_rules
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.settings import Settings
from lambdas.transform.spec import read_spec

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
    """By how much longer four times the text takes, halved: 2 when linear, 8 when quadratic. The best of three."""

    def measure(find: Callable[[str], Any], piece: str, *, size: int = 40_000) -> float:
        def seconds(length: int) -> float:
            text = piece * (length // len(piece))
            taken = []
            for _ in range(3):
                began = time.process_time()
                list(find(text))
                taken.append(time.process_time() - began)
            return min(taken)

        for _ in range(3):
            ratio = seconds(4 * size) / max(seconds(size), 1e-4) / 2
            if ratio < 4:
                break
        return ratio

    return measure

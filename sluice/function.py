"""What a route's function is told by its environment; the other side is the transformer's settings.

One place for all who run it: the stacks that deploy it, and `sluice transform` that runs it on a file.
"""

from typing import Final

from sluice.routes import Route, hashes, rules_json

RULES_VARIABLE: Final = "SLUICE_RULES"
KEY_VARIABLE: Final = "SLUICE_REDACTION_KEY"


def environment(route: Route, *, bucket: str, key_arn: str | None) -> dict[str, str]:
    """The variables of a route's function.

    Args:
        route: whose function it is.
        bucket: name of the bucket for the originals of truncated documents and the reasons of failures.
        key_arn: ARN of the secret that hashes are made with; told only to a function that hashes.
    """
    rules = rules_json(route)
    return {
        "SLUICE_ROUTE": route.name,
        "SLUICE_STEPS": ",".join(route.steps),
        **({RULES_VARIABLE: rules} if rules else {}),
        **({KEY_VARIABLE: key_arn} if key_arn and hashes(route) else {}),
        "SLUICE_BUCKET": bucket,
    }

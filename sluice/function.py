"""What a route's function is told by its environment; the other side is the transformer's settings.

One place for all who run it: the stacks that deploy it, and `sluice transform` that runs it on a file.
"""

from typing import Final

from sluice.routes import Route, needs_key, rules_json

RULES_VARIABLE: Final = "SLUICE_RULES"
KEY_VARIABLE: Final = "SLUICE_REDACTION_KEY"
SPREAD_VARIABLE: Final = "SLUICE_SPREAD"


def environment(route: Route, *, bucket: str, key_arn: str | None) -> dict[str, str]:
    """The variables of a route's function.

    Args:
        route: whose function it is.
        bucket: name of the bucket for the originals of truncated documents and the reasons of failures.
        key_arn: ARN of the environment's secret; told only to a function that hashes or sends documents once more.
    """
    rules = rules_json(route)
    return {
        "SLUICE_ROUTE": route.name,
        "SLUICE_STEPS": ",".join(route.steps),
        **({RULES_VARIABLE: rules} if rules else {}),
        **({KEY_VARIABLE: key_arn} if key_arn and needs_key(route) else {}),
        **({SPREAD_VARIABLE: "1"} if route.resends else {}),
        "SLUICE_BUCKET": bucket,
    }

"""The address of an environment's OpenSearch: what the file says, else the search stack, else AWS itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar

from query.documents import UnreachableError
from sluice import names
from sluice.model import Deployment
from sluice.search_settings import Collection, ExistingDomain

if TYPE_CHECKING:
    import boto3

ENDPOINT_OUTPUT: Final = "Endpoint"
_T = TypeVar("_T")


def endpoint_of(there: Deployment, session: boto3.Session, *, in_demo: bool = False) -> str:
    """The address of an environment's search. UnreachableError when it is not to be found out."""
    match there.search:
        case None:
            raise UnreachableError("routes go to opensearch and sluice.yaml has no `search`: give --endpoint")
        case ExistingDomain(endpoint=endpoint):
            return endpoint
        case _ if in_demo:
            raise UnreachableError("the running demo has no OpenSearch: name a route to s3 with --route")
        case Collection():
            found = _output(there, session) or asked(lambda: _of_collection(there, session))
        case _:
            found = _output(there, session) or asked(lambda: _of_domain(there, session))
    if not found:
        raise UnreachableError(
            f"{names.search_domain(there)} is not deployed, or still being made: deploy stack {there.prefix}-search, "
            "or give --endpoint"
        )
    return found if "://" in found else f"https://{found}"


def _output(there: Deployment, session: boto3.Session) -> str | None:
    """What the search stack says; None when it is not there or may not be asked."""
    from botocore.exceptions import ClientError  # noqa: PLC0415

    try:
        stacks = asked(
            lambda: session.client("cloudformation").describe_stacks(StackName=f"{there.prefix}-search")["Stacks"],
            passing=(ClientError,),
        )
    except ClientError:
        return None
    outputs = [output for stack in stacks for output in stack.get("Outputs", [])]
    return next((each.get("OutputValue") for each in outputs if each.get("OutputKey") == ENDPOINT_OUTPUT), None)


def _of_domain(there: Deployment, session: boto3.Session) -> str | None:
    client: Any = session.client("opensearch")
    status = client.describe_domain(DomainName=names.search_domain(there))["DomainStatus"]
    found = status.get("Endpoint") or status.get("Endpoints", {}).get("vpc")
    return str(found) if found else None


def _of_collection(there: Deployment, session: boto3.Session) -> str | None:
    client: Any = session.client("opensearchserverless")
    found = client.batch_get_collection(names=[names.search_domain(there)])["collectionDetails"]
    endpoint = found[0].get("collectionEndpoint") if found else None
    return str(endpoint) if endpoint else None


def asked(ask: Callable[[], _T], *, passing: tuple[type[Exception], ...] = ()) -> _T:
    """What AWS answers; UnreachableError with its words when it refuses."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        return ask()
    except passing:
        raise
    except (BotoCoreError, ClientError) as error:
        raise UnreachableError(
            f"AWS cannot be asked ({error}): set up credentials that may read this environment, and name its region in "
            "sluice.yaml or with --region"
        ) from None

"""Security findings that we looked at and accept, each at its own resource and with its own reason."""

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def accept(resource: IConstruct, finding: str, *, because: str) -> None:
    """Accept one of cdk-nag's findings at one resource.

    Args:
        resource: what the finding is about; the same finding elsewhere still fails the synthesis.
        finding: the rule, as "S1", with the part it names where it names one, as "IAM5[Resource::*]".
        because: why it is right here; it is written for the person who audits the deployment.
    """
    Validations.of(resource).acknowledge(Acknowledgment(id=f"AwsSolutions-{finding}", reason=because))


def accept_form(resource: IConstruct, rule: str, *, because: str) -> None:
    """Accept that a property is not formed as CloudFormation wants it, where CloudFormation never sees it.

    Args:
        resource: the resource that has the property.
        rule: of the CDK's own validation, as "F3031".
        because: why nobody is misled by it.
    """
    Validations.of(resource).acknowledge(Acknowledgment(id=f"CloudFormation-Validate::{rule}", reason=because))


def spelled(resource: IConstruct, value: str) -> str:
    """The value as cdk-nag spells it in a finding: what CloudFormation puts in stands in angle brackets."""
    resolved = Stack.of(resource).resolve(value)
    if isinstance(resolved, str):
        return resolved
    separator, parts = resolved["Fn::Join"]
    return str(separator).join(part if isinstance(part, str) else f"<{part['Ref']}>" for part in parts)

"""The key of an environment's hashes: a secret that Secrets Manager makes up, and that nobody needs to know.

One for all routes, so that one value has one hash wherever it is found. It stands in no template and no variable, only
its ARN does. Where stored logs stay when their stack goes, it stays too: without it no new hash can be compared with an
old one.

Cost: $0.40 a month (https://aws.amazon.com/secrets-manager/pricing/), and one request for each process that hashes.
"""

from typing import Final

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from sluice.model import Deployment, Removal
from stacks.findings import accept

# 64 letters and digits are 380 bits.
LENGTH: Final = 64


class RedactionKey(Construct):
    """The secret, and what a function needs to read it."""

    def __init__(self, scope: Construct, construct_id: str, *, deployment: Deployment) -> None:
        super().__init__(scope, construct_id)
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description=f"Sluice {deployment.prefix}: the key of the hashes that redaction leaves",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                password_length=LENGTH, exclude_punctuation=True, include_space=False
            ),
            removal_policy=(RemovalPolicy.DESTROY if deployment.removal is Removal.DESTROY else RemovalPolicy.RETAIN),
        )
        accept(
            secret,
            "SMG4",
            because="Equal values have equal hashes only under one key: another one is a decision, not a date",
        )
        self.arn = secret.secret_arn

    def reading(self) -> iam.PolicyStatement:
        """What a role needs to read this secret and no other."""
        return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=[self.arn])

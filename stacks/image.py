"""The images of our containers: each built from its folder when it is deployed, or one that is there already."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from aws_cdk import Arn, ArnComponents, Stack
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from constructs import Construct

from sluice.model import Aggregator, Architecture

ROOT: Final = Path(__file__).resolve().parent.parent
SOURCE: Final = ROOT / "fluentbit-image"
GATE_SOURCE: Final = ROOT / "gate"
# https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html
_PRIVATE: Final = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/(?P<name>[^:@]+)[:@](?P<tag>.+)"
)


def aggregator_image(scope: Construct, settings: Aggregator) -> ecs.ContainerImage:
    """What the aggregator's container runs."""
    arguments = {"BASE_TAG": settings.image.base_tag}
    return image(
        scope, uri=settings.image.uri, source=SOURCE, architecture=settings.architecture, build_arguments=arguments
    )


def image(
    scope: Construct,
    *,
    uri: str | None,
    source: Path,
    architecture: Architecture,
    build_arguments: Mapping[str, str] | None = None,
) -> ecs.ContainerImage:
    """The image of a container; the task's execution role may pull it and no other image.

    Args:
        scope: whose image it is.
        uri: of an image that is there already; without one, it is built.
        source: the folder with the Dockerfile.
        architecture: what it is built for.
        build_arguments: for the Dockerfile.
    """
    if uri is None:
        arm = architecture is Architecture.ARM64
        asset = ecr_assets.DockerImageAsset(
            scope,
            "Image",
            directory=str(source),
            platform=ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64,
            build_args=dict(build_arguments or {}),
        )
        return ecs.ContainerImage.from_docker_image_asset(asset)
    private = _PRIVATE.fullmatch(uri)
    if private is None:
        return ecs.ContainerImage.from_registry(uri)
    arn = Arn.format(
        ArnComponents(
            service="ecr",
            resource="repository",
            resource_name=private["name"],
            account=private["account"],
            region=private["region"],
        ),
        Stack.of(scope),
    )
    repository = ecr.Repository.from_repository_attributes(
        scope, "Repository", repository_arn=arn, repository_name=private["name"]
    )
    return ecs.ContainerImage.from_ecr_repository(repository, private["tag"])

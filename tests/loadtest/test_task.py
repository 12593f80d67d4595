"""`python -m loadtest.task`, as the containers run it: two machines send, and a third accounts for it."""

import base64
import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from loadtest.task import __main__ as task
from local.emulator import Emulator
from sluice import loadtest as told
from sluice.athena.tables import FAILED
from sluice.model import Config, deployment
from tests.athena_lake import HIDDEN, AthenaApi, Lake

ROOT = Path(__file__).resolve().parents[2]
BUCKET = "shop-logs"
DIVIDED = {"kind": "s3", "partition_by": [{"name": "service", "field": "resource.service.name"}]}
LARGE = {"size_mib": 128, "interval_seconds": 900}
ROUTES: list[dict[str, Any]] = [
    {"name": "web", "match": "web*"},
    {"name": "found", "match": "found*", "destination": {"kind": "opensearch"}},
    {"name": "columns", "match": "columns*", "destination": {"kind": "s3", "format": "parquet"}, "buffering": LARGE},
    {"name": "divided", "match": "divided*", "destination": DIVIDED, "buffering": LARGE},
]
HERE = deployment(
    Config.model_validate(
        {"name": "shop", "environments": {"dev": {}}, "routes": ROUTES, "search": {"kind": "domain"}}
    ),
    "dev",
)


def profile(**other: Any) -> dict[str, Any]:
    load = {"name": "a", "tag": "web-load", "client": "firelens", "connections": 2, "messages_per_second": 80}
    return {"name": "small", "seconds": 1, "settle_seconds": 1, "loads": [load | other]}


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(
        work=tmp_path_factory.mktemp("emulator"), node_modules=ROOT / "node_modules", region="us-east-1"
    ) as running:
        running.client("s3").create_bucket(Bucket=BUCKET)
        yield running


class Tasks:
    """The tasks of one run, each a process as its container is."""

    def __init__(self, emulator: Emulator, *, run: str, port: int, folder: Path, **variables: str) -> None:
        self.client, self.run = emulator.client("s3"), run
        self._folder = folder
        target = json.loads(told.told(HERE)) | {"host": "127.0.0.1", "ports": {"forward": port}}
        self._environment = {
            **emulator.environment,
            "PYTHONPATH": str(ROOT),
            "SLUICE_BUCKET": BUCKET,
            "SLUICE_LOAD_TEST": json.dumps(target),
            **variables,
        }

    def plan(self, **asked: Any) -> None:
        """What the state machine writes first."""
        told = {"run": self.run, "asked": asked}
        self.client.put_object(Bucket=BUCKET, Key=f"loadtest/{self.run}/plan.json", Body=json.dumps(told).encode())

    def start(self, *command: str) -> subprocess.Popen[str]:
        self._folder.mkdir(exist_ok=True)
        return subprocess.Popen(
            [sys.executable, "-m", "loadtest.task", *command],
            cwd=self._folder,
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def in_process(self, *command: str) -> int:
        """Without the second that an interpreter takes to start."""
        self._folder.mkdir(exist_ok=True)
        with pytest.MonkeyPatch.context() as there:
            there.chdir(self._folder)
            for name, value in self._environment.items():
                there.setenv(name, value)
            return task.main([*command, "--run", self.run])

    def keys(self, below: str = "") -> set[str]:
        prefix = f"loadtest/{self.run}/"
        found = self.client.list_objects_v2(Bucket=BUCKET, Prefix=prefix + below).get("Contents", [])
        return {each["Key"].removeprefix(prefix) for each in found}

    def report(self) -> Any:
        found = self.client.get_object(Bucket=BUCKET, Key=f"loadtest/{self.run}/report.json")
        return json.loads(found["Body"].read())


def finished(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def deliver(client: Any, lines: list[bytes], *, name: str) -> None:
    folder = time.strftime("year=%Y/month=%m/day=%d/hour=%H/", time.gmtime())
    client.put_object(Bucket=BUCKET, Key=f"logs/route=web/{folder}{name}", Body=gzip.compress(b"".join(lines)))


def documents(server: Any) -> list[dict[str, str]]:
    """What the transformer would make of what the aggregator got."""
    return [
        {"tag": tag, "body": record["log"], "event_id": f"{at:032x}"}
        for at, (tag, _, record) in enumerate(server.entries())
    ]


def test_two_machines_send_and_a_third_accounts_for_it_by_reading(emulator, aggregator, tmp_path):
    server = aggregator()
    tasks = Tasks(emulator, run="00ab12cd", port=server.port, folder=tmp_path / "one")
    tasks.plan(profile=profile(), senders=2, processes=1, verify="reading")
    first = tasks.start("send", "--run", tasks.run, "--share", "0/2")
    time.sleep(1)
    assert first.poll() is None, "it waits for the other one"
    assert server.received == []
    second = tasks.start("send", "--run", tasks.run, "--share", "1/2")
    for sender in (first, second):
        assert finished(sender)[0] == 0
    assert tasks.keys("ready/") == {"ready/0", "ready/1"}
    assert tasks.keys("journal/") == {f"journal/sent-{process}.jsonl" for process in range(2)}

    lines = [json.dumps(each).encode() + b"\n" for each in documents(server)]
    assert len(lines) == 80
    deliver(tasks.client, lines[:-1], name="one")
    status, said = finished(tasks.start("verify", "--run", tasks.run))
    assert status == 1, said
    assert tasks.report()["total"]["lost"] == 1

    assert f"s3://{BUCKET}/loadtest/{tasks.run}/report.html" in said

    deliver(tasks.client, lines[-1:], name="two")
    assert tasks.in_process("verify") == 0
    total = tasks.report()["total"]
    assert (total["sent"], total["acknowledged"], total["delivered"], total["lost"]) == (80, 80, 80, 0)
    assert {"report.json", "report.html"} < tasks.keys()


@pytest.fixture(scope="module")
def lake() -> Lake:
    return Lake("shop_dev", {"web": ()})


def sent(emulator: Emulator, server: Any, *, run: str, folder: Path, lake: Lake, **api: Any) -> tuple[Tasks, AthenaApi]:
    """A run of 80 messages that is over, and who is asked about it."""
    lake.clear()
    athena = AthenaApi(lake, workgroup="shop-dev-logs", **api)
    tasks = Tasks(emulator, run=run, port=server.port, folder=folder, AWS_ENDPOINT_URL_ATHENA=athena.url)
    tasks.plan(profile=profile() | {"settle_seconds": 0})
    assert tasks.in_process("send", "--share", "0/1") == 0
    return tasks, athena


def test_what_goes_to_s3_athena_accounts_for(emulator, aggregator, lake, tmp_path, capsys):
    server = aggregator()
    tasks, athena = sent(emulator, server, run="00000010", folder=tmp_path / "athena", lake=lake)
    now, (first, second, third, *others) = time.time(), documents(server)
    for each in (third, third, *others):
        lake.put("web", at=now + 2, **each)
    data = base64.b64encode(second["body"].encode()).decode()
    lake.put(FAILED, at=now, rawdata=data, route="web", reason="processing-failed")
    with athena:
        assert tasks.in_process("verify") == 1
        report = tasks.report()
        total = report["total"]
        assert (total["sent"], total["delivered"], total["lost"], total["failed"]) == (80, 78, 1, 1)
        assert (total["duplicated"], total["duplicated_otherwise"]) == (1, 0)
        assert total["failed_by_reason"] == {"processing-failed": 1}
        assert total["latency"]["max"] > 1000
        assert report["target"]["verified"] == "by Athena"
        assert len(athena.asked) == 4, "it asks again, for what is lost may still come"

        lake.put("web", at=now + 3, **first)
        tasks.in_process("verify")
        assert tasks.report()["total"]["lost"] == 0
    assert '"verifying": "athena"' in capsys.readouterr().out


def test_where_athena_does_not_know_times_all_else_is_told(emulator, aggregator, lake, tmp_path):
    server = aggregator()
    tasks, athena = sent(emulator, server, run="00000011", folder=tmp_path / "times", lake=lake, refused=HIDDEN)
    for each in documents(server):
        lake.put("web", at=time.time(), **each)
    with athena:
        assert tasks.in_process("verify") == 0
    report = tasks.report()
    assert (report["total"]["delivered"], report["total"]["latency"]["p50"]) == (80, None)
    assert "no latencies" in report["notes"][-1]


def test_what_athena_refuses_is_said(emulator, aggregator, lake, tmp_path, capsys):
    tasks, athena = sent(emulator, aggregator(), run="00000012", folder=tmp_path / "no", lake=lake, refused="event_id")
    with athena:
        assert tasks.in_process("verify") == 2
    assert "FAILED: COLUMN_NOT_FOUND" in capsys.readouterr().err
    assert len(athena.asked) == 1, "it is no question of latencies"
    assert "report.json" not in tasks.keys("report")


def test_sigterm_ends_a_sender_cleanly_and_its_journal_is_kept(emulator, aggregator, tmp_path):
    server = aggregator()
    tasks = Tasks(emulator, run="00000002", port=server.port, folder=tmp_path / "two")
    tasks.plan(profile=profile() | {"seconds": 600}, senders=1)
    sender = tasks.start("send", "--run", tasks.run, "--share", "0/1")
    server.wait_for(2)
    sender.terminate()
    assert finished(sender)[0] == 0
    assert tasks.keys("journal/") == {"journal/sent-0.jsonl"}


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"profile": profile(tag="found-me")}, "OpenSearch, to which there is no way"),
        ({"profile": profile(tag="found-me"), "verify": "athena"}, "verify: athena cannot tell"),
        ({"profile": profile(tag="divided"), "verify": "athena"}, "divided by service"),
        ({"profile": profile(tag="columns"), "verify": "reading"}, "lies in Parquet"),
        (
            {
                "profile": profile()
                | {"loads": [profile(name=tag, tag=tag)["loads"][0] for tag in ("columns", "found")]}
            },
            "athena cannot, for route found goes to OpenSearch; reading cannot, for route found",
        ),
        ({"profile": profile(), "verify": "guessing"}, "verify = 'guessing'"),
        ({"profile": profile(), "sender": 2}, "sender = 2"),
        ({"profile": profile(rate=1)}, "rate"),
        ({"profile": profile(tag="")}, "tag"),
        ({"profile": "no-such-profile"}, "no-such-profile"),
        ({"profile": profile(), "listener": "other"}, "there is no listener"),
    ],
)
def test_a_run_that_cannot_be_made_says_why(emulator, tmp_path, capsys, asked, says):
    tasks = Tasks(emulator, run="00000003", port=1, folder=tmp_path / "three")
    tasks.plan(**asked)
    assert tasks.in_process("send", "--share", "0/1") == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize(("planned", "says"), [(False, "is it the right run?"), (True, "nobody kept a journal")])
def test_there_is_no_account_without_a_plan_or_a_journal(emulator, tmp_path, capsys, planned, says):
    tasks = Tasks(emulator, run=f"0000000{4 + planned}", port=1, folder=tmp_path / "four")
    if planned:
        tasks.plan(profile=profile(), senders=1)
    assert tasks.in_process("verify") == 2
    assert says in capsys.readouterr().err

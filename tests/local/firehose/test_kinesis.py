"""A data stream as source, on a clock that never waits: what is read, when, and from where the next process goes on."""

import hashlib
import json
from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local.firehose import (
    ApiError,
    BufferHints,
    FileCheckpoints,
    Firehose,
    KinesisSource,
    LambdaProcessor,
    ManualClock,
    MemoryCheckpoints,
    S3Destination,
    StreamConfig,
)
from local.firehose.kpl import MAGIC
from local.firehose.sources.checkpoints import SHARD_END, Positions
from local.firehose.sources.kinesis import ExpiredIteratorError, KinesisRecord, Page, Shard

NAME = "sluice-test-web"
ARN = "arn:aws:kinesis:eu-west-1:000000000000:stream/sluice-test-web"


@dataclass
class FakeKinesis:
    """A data stream in memory. A page holds at most `page_records`; `failures` are raised by the next reads."""

    clock: ManualClock
    page_records: int = 100
    parents: dict[str, tuple[str, ...]] = field(default_factory=lambda: {"shard-0": ()})
    held: dict[str, list[KinesisRecord]] = field(default_factory=lambda: {"shard-0": []})
    closed: set[str] = field(default_factory=set)
    failures: list[Exception] = field(default_factory=list)
    calls: list[tuple[str, str]] = field(default_factory=list)
    count: int = 0

    def put(self, data: bytes, *, shard: str = "shard-0", key: str = "k") -> str:
        assert shard not in self.closed
        self.count += 1
        record = KinesisRecord(f"{self.count:056d}", key, data, int(self.clock.now() * 1000))
        self.held[shard].append(record)
        return record.sequence_number

    def reshard(self, parents: tuple[str, ...], *children: str) -> None:
        self.closed |= set(parents)
        for child in children:
            self.parents[child], self.held[child] = parents, []

    def shards(self, stream_arn: str) -> list[Shard]:
        assert stream_arn == ARN
        self.calls.append(("list", ""))
        self._fail()
        return [Shard(name, parents) for name, parents in self.parents.items()]

    def iterator(self, stream_arn: str, shard_id: str, *, after: str | None, since: float | None) -> str:
        assert stream_arn == ARN
        self.calls.append(("iterator", shard_id))
        records = self.held[shard_id]
        if after is not None:
            position = sum(record.sequence_number <= after for record in records)
        elif since is not None:
            position = sum(record.arrived_ms < since * 1000 for record in records)
        else:
            position = 0
        return f"{shard_id}/{position}"

    def read(self, iterator: str) -> Page:
        shard, position = iterator.split("/")
        self.calls.append(("read", shard))
        self._fail()
        end = int(position) + self.page_records
        records = self.held[shard][int(position) : end]
        left = len(self.held[shard]) - int(position) - len(records)
        following = None if shard in self.closed and not left else f"{shard}/{int(position) + len(records)}"
        return Page(records, following, behind_ms=left)

    def _fail(self) -> None:
        if self.failures:
            raise self.failures.pop(0)

    @property
    def reads(self) -> list[str]:
        return [shard for call, shard in self.calls if call == "read"]


def kpl(*data: bytes) -> bytes:
    def part(number: int, value: bytes) -> bytes:
        return bytes([number << 3 | 2, len(value)]) + value

    message = part(1, b"inner") + b"".join(part(3, b"\x08\0" + part(3, each)) for each in data)
    return MAGIC + message + hashlib.md5(message).digest()


@pytest.fixture
def kinesis(clock) -> FakeKinesis:
    return FakeKinesis(clock)


@pytest.fixture
def store() -> MemoryCheckpoints:
    return MemoryCheckpoints()


@pytest.fixture
def reading(kinesis, function, bucket, clock, store):
    """A Firehose of one stream that reads `kinesis`, without a transformer unless `batch` is given."""

    def build(*, batch: BufferHints | None = None, start="TRIM_HORIZON", interval: float = 60, **rest) -> Firehose:
        config = StreamConfig(
            name=NAME,
            arn=f"arn:aws:firehose:eu-west-1:000000000000:deliverystream/{NAME}",
            processor=batch
            and LambdaProcessor("arn:aws:lambda:eu-west-1:000000000000:function:transform", hints=batch),
            source=KinesisSource(ARN, start=start),
            destination=S3Destination(
                bucket="sluice-logs",
                prefix="logs/!{timestamp:yyyy}/",
                error_prefix="failed/!{firehose:error-output-type}/",
                hints=BufferHints(size_bytes=2**20, interval_seconds=interval),
                delimiter=b"\n",
            ),
        )
        return Firehose(
            [config],
            invoke=function.invoke,
            put_object=bucket.put_object,
            shards=kinesis,
            checkpoints=store,
            clock=clock,
            **rest,
        )

    return build


def lines(bucket) -> list[bytes]:
    """What was delivered, in the order of writing."""
    return [line for key, body in bucket.objects.items() if key.startswith("logs/") for line in body.split(b"\n")]


def test_nothing_can_be_put_to_a_stream_that_reads(reading):
    running = reading()
    with pytest.raises(ApiError) as refused:
        running.put(NAME, [b"x"])
    assert (refused.value.code, refused.value.status) == ("InvalidArgumentException", 400)
    assert str(refused.value) == "This operation is not permitted on KinesisStreamAsSource delivery stream type."


def test_without_anything_to_read_with_it_says_so(function, bucket):
    config = StreamConfig(name=NAME, arn="a", destination=S3Destination(bucket="b"), source=KinesisSource(ARN))
    with pytest.raises(ValueError, match=f"{NAME}.*shards"):
        Firehose([config], invoke=function.invoke, put_object=bucket.put_object)


def test_records_are_delivered_in_their_order_and_counted(reading, kinesis, bucket):
    for number in range(250):
        kinesis.put(b"%d" % number)
    running = reading()
    assert running.drain()
    assert lines(bucket) == [b"%d" % number for number in range(250)]
    counts = running.counts()[NAME]
    assert (counts.incoming, counts.delivered, counts.pending) == (250, 250, 0)


def test_draining_reads_what_came_a_moment_ago(reading, kinesis, bucket):
    running = reading()
    assert running.drain()
    kinesis.put(b"late")
    assert running.drain()
    assert lines(bucket) == [b"late"]


def test_a_shard_is_read_once_a_second_and_five_times_while_there_is_more(reading, kinesis, clock):
    kinesis.page_records = 1
    for _ in range(3):
        kinesis.put(b"x")
    running = reading()
    began, times = clock.now(), []
    for _ in range(5):
        running.work()
        times.append(round(clock.now() - began, 3))
        clock.advance(max(0.0, running._streams[NAME]._feed.due_at() - clock.now()))
    assert times == [0, 0.2, 0.4, 1.4, 2.4]
    assert len(kinesis.reads) == 5


@pytest.mark.parametrize(("start", "read"), [("LATEST", [b"new"]), ("TRIM_HORIZON", [b"old", b"new"])])
def test_the_first_start_is_where_it_is_told_to_be(reading, kinesis, bucket, start, read):
    kinesis.put(b"old")
    kinesis.clock.advance(1)
    running = reading(start=start)
    kinesis.put(b"new")
    running.drain()
    assert lines(bucket) == read


def test_a_start_at_the_time_of_the_deployment_has_what_came_before_the_firehose(reading, kinesis, bucket, clock):
    kinesis.put(b"before the deployment")
    clock.advance(1)
    deployed_at = clock.now()
    kinesis.put(b"after")
    clock.advance(1)
    reading(start=deployed_at).drain()
    assert lines(bucket) == [b"after"]


def test_latest_stays_where_it_was_for_a_process_that_delivered_nothing(reading, kinesis, bucket, clock):
    reading(start="LATEST")
    kinesis.put(b"read by none")
    clock.advance(1)
    reading(start="LATEST").drain()
    assert lines(bucket) == [b"read by none"]


def test_a_new_process_goes_on_behind_what_was_settled(reading, kinesis, bucket):
    first, second = kinesis.put(b"1"), kinesis.put(b"2")
    reading().drain()
    third = kinesis.put(b"3")
    reading().drain()
    assert lines(bucket) == [b"1", b"2", b"3"], (first, second, third)


def test_what_was_under_way_in_a_process_that_died_is_read_again(reading, kinesis, bucket, store):
    kinesis.put(b"1")
    dead = reading()
    dead.work()
    assert dead.counts()[NAME].pending == 1
    assert store.load(NAME).shards == {}
    reading().drain()
    assert lines(bucket) == [b"1"]


def test_a_checkpoint_never_passes_a_record_that_is_not_settled(reading, kinesis, function, store, clock):
    """The second of three waits in S3's buffer, while those around it are dropped."""

    def drop_all_but_the_second(event):
        results = ["Ok" if record["data"] == "Mg==" else "Dropped" for record in event["records"]]
        return {
            "records": [
                {"recordId": record["recordId"], "result": result, "data": record["data"]}
                for record, result in zip(event["records"], results, strict=True)
            ]
        }

    function.respond = drop_all_but_the_second
    first, _, third = (kinesis.put(data) for data in (b"1", b"2", b"3"))
    running = reading(batch=BufferHints(size_bytes=1, interval_seconds=0))
    running.work()
    running.work()
    assert store.load(NAME).shards == {"shard-0": first}
    clock.advance(60)
    running.work()
    assert store.load(NAME).shards == {"shard-0": third}


@pytest.mark.parametrize("result", ["Ok", "Dropped", "ProcessingFailed"])
def test_every_end_of_a_record_settles_it(reading, kinesis, function, store, result):
    function.respond = lambda event: function.answer(event, result)
    sequence = kinesis.put(b"x")
    reading(batch=BufferHints(size_bytes=1, interval_seconds=0)).drain()
    assert store.load(NAME).shards == {"shard-0": sequence}


def test_children_are_read_when_their_parents_are_and_none_gets_lost(reading, kinesis, bucket, store):
    kinesis.page_records = 2
    for number in range(5):
        kinesis.put(b"parent-%d" % number)
    running = reading()
    running.work()
    kinesis.reshard(("shard-0",), "shard-1", "shard-2")
    kinesis.put(b"left", shard="shard-1")
    kinesis.put(b"right", shard="shard-2")
    running.work()
    kinesis.reshard(("shard-1", "shard-2"), "shard-3")
    merged = kinesis.put(b"merged", shard="shard-3")
    assert running.drain()

    assert lines(bucket)[:5] == [b"parent-%d" % number for number in range(5)]
    assert sorted(lines(bucket)) == sorted([*(b"parent-%d" % n for n in range(5)), b"left", b"right", b"merged"])
    order = list(dict.fromkeys(kinesis.reads))
    assert order == ["shard-0", "shard-1", "shard-2", "shard-3"]
    last_of_the_parents = max(position for position, shard in enumerate(kinesis.reads) if shard != "shard-3")
    assert kinesis.reads.index("shard-3") > last_of_the_parents
    ended = dict.fromkeys(("shard-0", "shard-1", "shard-2"), SHARD_END)
    assert store.load(NAME).shards == {**ended, "shard-3": merged}


def test_a_child_waits_for_both_of_its_parents(reading, kinesis):
    kinesis.parents["shard-1"], kinesis.held["shard-1"] = (), []
    kinesis.page_records = 1
    for _ in range(3):
        kinesis.put(b"x", shard="shard-1")
    kinesis.reshard(("shard-0", "shard-1"), "shard-2")
    kinesis.put(b"child", shard="shard-2")
    running = reading()
    for _ in range(2):
        running.work()
        kinesis.clock.advance(0.2)
        assert "shard-2" not in kinesis.reads
    running.drain()
    assert kinesis.reads == ["shard-0", *["shard-1"] * 3, "shard-2"]


def test_a_shard_that_was_read_to_its_end_is_not_read_by_the_next_process(reading, kinesis):
    kinesis.put(b"x")
    kinesis.reshard(("shard-0",), "shard-1")
    reading().drain()
    kinesis.calls.clear()
    reading().drain()
    assert set(kinesis.reads) == {"shard-1"}


def test_a_shard_that_kinesis_has_no_more_is_forgotten(reading, kinesis, store):
    kinesis.put(b"x")
    kinesis.reshard(("shard-0",), "shard-1")
    reading().drain()
    del kinesis.parents["shard-0"]
    last = kinesis.put(b"y", shard="shard-1")
    kinesis.reshard(("shard-1",), "shard-2")
    reading().drain()
    assert store.load(NAME).shards["shard-1"] == SHARD_END, last


def test_a_stream_without_room_leaves_records_in_kinesis_until_there_is(reading, kinesis, bucket, clock):
    kinesis.page_records = 2
    for number in range(6):
        kinesis.put(b"%d" % number * 10)
    running = reading(max_pending_bytes=30, interval=5)
    for _ in range(10):
        running.work()
        clock.advance(0.2)
    assert running.counts()[NAME].incoming == 3
    assert len(kinesis.reads) == 2, "one page more than there is room for, and no further"
    assert running.drain()
    assert lines(bucket) == [b"%d" % number * 10 for number in range(6)]


def test_a_record_larger_than_all_the_room_goes_alone(reading, kinesis, bucket):
    kinesis.put(b"x" * 99)
    kinesis.put(b"y")
    assert reading(max_pending_bytes=10).drain(timeout=600)
    assert lines(bucket) == [b"x" * 99, b"y"]


def test_an_expired_iterator_is_got_anew_behind_what_was_read(reading, kinesis, bucket, clock):
    running = reading()
    kinesis.put(b"1")
    running.work()
    kinesis.put(b"2")
    kinesis.failures.append(ExpiredIteratorError())
    for _ in range(2):
        clock.advance(1)
        running.work()
    assert running.counts()[NAME].pending == 2, "what is under way is not read again"
    assert running.drain()
    assert lines(bucket) == [b"1", b"2"]
    assert [call for call, _ in kinesis.calls].count("iterator") == 2


def test_a_throttle_is_waited_out_with_growing_pauses(reading, kinesis, bucket, clock):
    running = reading()
    running.drain()
    kinesis.put(b"x")
    kinesis.failures += [RuntimeError("ProvisionedThroughputExceededException")] * 3
    began, before = clock.now(), len(kinesis.reads)
    assert running.drain()
    assert len(kinesis.reads) - before >= 4
    assert clock.now() - began >= 1 + 2 + 4
    assert lines(bucket) == [b"x"]


def test_a_stream_whose_shards_cannot_be_listed_is_tried_again(reading, kinesis, bucket):
    kinesis.put(b"x")
    kinesis.failures += [ConnectionError("Kinesis is away")] * 2
    assert reading().drain()
    assert lines(bucket) == [b"x"]


def test_draining_gives_up_while_kinesis_is_away(reading, kinesis):
    kinesis.failures += [ConnectionError("Kinesis is away")] * 1000
    assert not reading().drain(timeout=100)


def test_an_aggregate_is_its_members_each_with_an_id_and_origin_of_its_own(reading, kinesis, function, clock):
    plain = kinesis.put(b"plain", key="outer")
    packed = kinesis.put(kpl(b"one", b"two"), key="outer")
    reading(batch=BufferHints(size_bytes=1024, interval_seconds=0)).drain()

    (event,) = function.events
    assert event["sourceKinesisStreamArn"] == ARN
    arrived = int(clock.now() * 1000)
    assert [
        (record["recordId"], record["approximateArrivalTimestamp"], record["kinesisRecordMetadata"])
        for record in event["records"]
    ] == [
        (
            f"{sequence}{number:06d}",
            arrived,
            {
                "sequenceNumber": sequence,
                "subsequenceNumber": number,
                "partitionKey": key,
                "shardId": "shard-0",
                "approximateArrivalTimestamp": arrived,
            },
        )
        for sequence, number, key in ((plain, 0, "outer"), (packed, 0, "inner"), (packed, 1, "inner"))
    ]


def test_an_aggregate_is_settled_when_all_its_members_are(reading, kinesis, function, store, clock):
    def drop_one(event):
        return {
            "records": [
                {"recordId": each["recordId"], "result": "Dropped" if each["data"] == "b25l" else "Ok", "data": "eA=="}
                for each in event["records"]
            ]
        }

    function.respond = drop_one
    packed = kinesis.put(kpl(b"one", b"two"))
    running = reading(batch=BufferHints(size_bytes=1, interval_seconds=0))
    running.work()
    running.work()
    assert store.load(NAME).shards == {}
    clock.advance(60)
    running.work()
    assert store.load(NAME).shards == {"shard-0": packed}


def test_an_aggregate_of_nothing_is_settled_at_once(reading, kinesis, store):
    body = b"\x0a\x01k"
    empty = kinesis.put(MAGIC + body + hashlib.md5(body).digest())
    running = reading()
    running.drain()
    assert store.load(NAME).shards == {"shard-0": empty}
    assert running.counts()[NAME].incoming == 0


def test_the_event_of_a_direct_put_knows_no_data_stream(firehose, function):
    running = firehose()
    running.put(NAME, [b"x"])
    running.drain()
    (event,) = function.events
    assert "sourceKinesisStreamArn" not in event
    assert "kinesisRecordMetadata" not in event["records"][0]


def test_workers_read_without_being_asked(kinesis, function, bucket, store):
    kinesis.put(b"x")
    config = StreamConfig(
        name=NAME,
        arn=f"arn:aws:firehose:eu-west-1:000000000000:deliverystream/{NAME}",
        source=KinesisSource(ARN, start="TRIM_HORIZON"),
        destination=S3Destination(bucket="sluice-logs", prefix="logs/"),
    )
    with Firehose(
        [config], invoke=function.invoke, put_object=bucket.put_object, shards=kinesis, checkpoints=store
    ) as firehose:
        assert firehose.drain(timeout=120)
        kinesis.put(b"y")
        assert firehose.drain(timeout=120)
    assert lines(bucket) == [b"x", b"y"]


class World:
    """A data stream that is written to and resharded by chance, and one process after another that delivers it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.clock = ManualClock()
        self.kinesis = FakeKinesis(self.clock, page_records=3)
        self.store = MemoryCheckpoints()
        self.put: list[bytes] = []
        self.delivered: list[bytes] = []
        self.firehose = self.start()

    def start(self) -> Firehose:
        hints = BufferHints(size_bytes=20, interval_seconds=self.random.choice([0, 1, 30]))
        config = StreamConfig(
            name=NAME,
            arn="a:b:c:d",
            source=KinesisSource(ARN, start="LATEST"),
            destination=S3Destination(bucket="b", delimiter=b"\n", hints=hints),
        )
        return Firehose(
            [config],
            invoke=lambda *_: b"",
            put_object=self.put_object,
            shards=self.kinesis,
            checkpoints=self.store,
            clock=self.clock,
            max_pending_bytes=self.random.choice([10, 40, 1000]),
        )

    def put_object(self, *, body: bytes, **_rest: object) -> None:
        if self.random.random() < 0.2:
            raise ConnectionError("S3 is away")
        self.delivered.extend(body.split())

    def step(self) -> None:
        self.random.choice(
            [
                self.put_some,
                self.put_some,
                self.work,
                self.work,
                self.work,
                self.wait,
                self.reshard,
                self.fail,
                self.die,
            ]
        )()

    def open_shards(self) -> list[str]:
        return [shard for shard in self.kinesis.parents if shard not in self.kinesis.closed]

    def put_some(self) -> None:
        for shard in self.open_shards():
            data = [b"%d.%d" % (len(self.put), number) for number in range(self.random.choice([1, 1, 3]))]
            self.put.extend(data)
            self.kinesis.put(data[0] if len(data) == 1 else kpl(*data), shard=shard)

    def work(self) -> None:
        self.firehose.work()
        self.clock.advance(0.2)

    def wait(self) -> None:
        self.clock.advance(self.random.choice([1, 60]))

    def reshard(self) -> None:
        fresh = [f"shard-{len(self.kinesis.parents) + number}" for number in range(2)]
        if len(self.open_shards()) > 1 and self.random.random() < 0.5:
            self.kinesis.reshard(tuple(self.random.sample(self.open_shards(), 2)), fresh[0])
        else:
            self.kinesis.reshard((self.random.choice(self.open_shards()),), *fresh)

    def fail(self) -> None:
        self.kinesis.failures.append(self.random.choice([ExpiredIteratorError(), ConnectionError("away")]))

    def die(self) -> None:
        self.firehose = self.start()


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 40))
def test_whatever_happens_every_record_arrives(seed, steps):
    """Puts, splits, merges, refusing S3 and Kinesis, and processes that die at any moment."""
    world = World(seed)
    for _ in range(steps):
        world.step()
    assert world.firehose.drain(timeout=86_400)
    assert set(world.delivered) == set(world.put)


def test_checkpoints_outlive_their_process_in_a_file(tmp_path):
    positions = Positions(started_at=1.5, shards={"a": "1", "b": SHARD_END})
    FileCheckpoints(tmp_path / "new").save("web", positions)
    assert FileCheckpoints(tmp_path / "new").load("web") == positions
    assert FileCheckpoints(tmp_path / "new").load("other") is None
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["web.json"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"started_at": 1}'])
def test_a_file_that_holds_no_checkpoints_is_an_error_not_a_fresh_start(tmp_path, content):
    (tmp_path / "web.json").write_text(content)
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own, or ours
        FileCheckpoints(tmp_path).load("web")


def test_a_file_is_json_that_a_human_reads(tmp_path):
    FileCheckpoints(tmp_path).save("web", Positions(started_at=None, shards={"a": "1"}))
    assert json.loads((tmp_path / "web.json").read_text()) == {"started_at": None, "shards": {"a": "1"}}

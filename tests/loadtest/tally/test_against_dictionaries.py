"""Any history of deliveries, accounted for by the tally and by dictionaries that hold everything, is one account."""

import base64
import json
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

MESSAGES = st.tuples(st.integers(0, 2), st.integers(0, 6))
ROUTES = st.sampled_from([None, "frontend", "backend"])
ALONE = st.fixed_dictionaries(
    {
        "op": st.just("deliver"),
        "messages": st.lists(MESSAGES, min_size=1, max_size=1)
        | st.lists(MESSAGES, min_size=2, max_size=3, unique=True),
        "id": st.sampled_from([0, 0, 0, 1, 2]),
        "altered": st.sampled_from([False, False, False, True]),
        "route": ROUTES,
        "new_block": st.booleans(),
    }
)
ACCEPTED = st.fixed_dictionaries({"op": st.just("accept"), "messages": st.lists(MESSAGES, max_size=3), "route": ROUTES})
FAILED = st.fixed_dictionaries(
    {"op": st.just("fail"), "messages": st.lists(MESSAGES, max_size=3), "reason": st.sampled_from(["one", "two"])}
)
HISTORIES = st.lists(ALONE | ALONE | ALONE | FAILED, max_size=25) | st.lists(ACCEPTED | FAILED, max_size=10)
SENT = st.fixed_dictionaries({source: st.integers(0, 50) for source in range(3)}).map(
    lambda sent: {**sent, 2: sent[2] % 20}
)
ACKNOWLEDGED = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 5), st.integers(1, 6)), max_size=4)


class Dictionaries:
    """What is true of each message, the slow way."""

    def __init__(self, run: Any) -> None:
        self._run = run
        self.ids: dict[Any, Any] = {}
        self.seen: set[Any] = set()
        self.reason: dict[Any, str] = {}
        self.altered: set[Any] = set()
        self.misrouted: set[Any] = set()
        self.highest: dict[int, int] = {}
        self.duplicated: Counter[int] = Counter()
        self.otherwise: Counter[int] = Counter()
        self.reordered: Counter[int] = Counter()

    def deliver(self, messages: list[Any], id_: object, *, altered: bool, route: str | None) -> None:
        head = messages[0]
        wrong = self.ids.setdefault(head, id_) != id_
        for each in messages:
            source, sequence = each
            if each in self.seen:
                (self.otherwise if wrong else self.duplicated)[source] += 1
            else:
                self.reordered[source] += sequence < self.highest.get(source, -1)
                self.highest[source] = max(sequence, self.highest.get(source, -1))
            self.seen.add(each)
            if altered:
                self.altered.add(each)
            if route not in (None, self._run.route(source)):
                self.misrouted.add(each)

    def fail(self, messages: list[Any], reason: str) -> None:
        self.reason.update({each: reason for each in messages if each not in self.seen})

    def account(self, sources: list[int], sent: dict[int, int], acknowledged: set[Any]) -> dict[str, Any]:
        every = {(source, number) for source in sources for number in range(sent[source])}
        failed = {each: reason for each, reason in self.reason.items() if each in every - self.seen}
        missing = every - self.seen - set(self.reason)
        of = [each for each in self.seen | set(self.reason) if each[0] in sources]
        return {
            "sent": len(every),
            "acknowledged": len(every & acknowledged),
            "delivered": len(every & self.seen),
            "failed": len(failed),
            "failed_by_reason": dict(Counter(failed.values())),
            "lost": len(missing),
            "lost_acknowledged": len(missing & acknowledged),
            "duplicated": sum(self.duplicated[source] for source in sources),
            "duplicated_otherwise": sum(self.otherwise[source] for source in sources),
            "reordered": sum(self.reordered[source] for source in sources),
            "altered": len(every & self.altered),
            "misrouted": len(every & self.misrouted),
            "unexpected": len(set(of) - every),
        }


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=HISTORIES, sent=SENT, ranges=ACKNOWLEDGED)
def test_the_account_is_what_dictionaries_say(make_run, history, sent, ranges):
    run = make_run()
    truth = Dictionaries(run)
    block: list[dict[str, Any]] = []
    at: str | None = None

    def flush() -> None:
        run.deliver(*block, route=at)
        block.clear()

    for step in history:
        messages = step["messages"]
        if step["op"] != "deliver" or step["new_block"] or step["route"] != at:
            flush()
        if step["op"] == "deliver":
            at = step["route"]
            id_ = (*messages[0], step["id"])
            block.append(document(run, messages, id_, altered=step["altered"]))
            truth.deliver(messages, id_, altered=step["altered"], route=at)
        elif step["op"] == "accept":
            run.tally.accept(
                b"".join(run.text(*each).encode() for each in messages), route=step["route"], readable_at=0
            )
            for each in messages:
                truth.deliver([each], 0, altered=False, route=step["route"])
        else:
            data = base64.b64encode(b"".join(run.text(*each).encode() for each in messages)).decode()
            run.tally.fail(json.dumps({"rawData": data}).encode(), reason=step["reason"], route=None)
            truth.fail(messages, step["reason"])
    flush()
    acknowledged = {
        source: [(first, first + more) for of, first, more in ranges if of == source] for source in range(3)
    }
    sent = {source: max([count, *(end for _, end in acknowledged[source])]) for source, count in sent.items()}
    told = {
        (source, number) for source, of in acknowledged.items() for first, end in of for number in range(first, end)
    }
    result = run.close(run.journal(sent=sent, acknowledged=acknowledged))
    for account, sources in zip((*result.loads, result.total), ([0, 1], [2], [0, 1, 2]), strict=True):
        expected = truth.account(sources, sent, told)
        assert {name: getattr(account, name) for name in expected} == expected


def document(run: Any, messages: list[Any], id_: tuple[int, ...], *, altered: bool) -> dict[str, Any]:
    body = "\n".join(run.text(*each) for each in messages)
    attributes = {"log.record.lines": len(messages)} if len(messages) > 1 else {}
    return run.document(
        *messages[0], body=body + "!" * altered, event_id=".".join(map(str, id_)), attributes=attributes
    )

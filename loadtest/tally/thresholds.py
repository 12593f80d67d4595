"""What makes a run fail: the profile's thresholds, and what no profile can allow.

A threshold of None allows anything. A run without a journal, of which a sender did not end, or that sent nothing tells
nothing about its target, and a test that cannot fail is none.
"""

from collections.abc import Iterator, Sequence

from loadtest.profile import Thresholds
from loadtest.tally.result import Account, Breach

_AT_MOST = ("lost", "lost_acknowledged", "duplicated_otherwise", "altered", "unexpected", "failed")


def breaches(
    total: Account,
    thresholds: Thresholds,
    *,
    due: int,
    unreadable: int,
    journals: bool,
    unended: int,
    errors: Sequence[str],
) -> Iterator[Breach]:
    """Every reason why a run has failed. `due` messages were to be sent; `journals` says whether there are any."""
    if not journals:
        yield Breach("journal", None, None, "there is no journal: nobody knows what was sent")
    if unended:
        yield Breach("unended", 0, unended, f"{unended} senders did not say that they ended")
    if errors:
        yield Breach("errors", 0, len(errors), f"senders ended with errors: {errors[0]}")
    if not total.sent:
        yield Breach("sent", 1, 0, "nothing was sent")
    for name in _AT_MOST:
        yield from _at_most(name, getattr(thresholds, name), getattr(total, name))
    yield from _at_most("misrouted", 0, total.misrouted)
    yield from _at_most("unreadable", 0, unreadable)
    percent = 100 * total.duplicated / total.delivered if total.delivered else 0.0
    yield from _at_most("duplicated_percent", thresholds.duplicated_percent, percent)
    seconds = None if total.latency.p99 is None else total.latency.p99 / 1000
    yield from _at_most("latency_p99_seconds", thresholds.latency_p99_seconds, seconds)
    if seconds is None and total.delivered and thresholds.latency_p99_seconds is not None:
        says = "latencies are not known: account for it in another way, or take this threshold out of the profile"
        yield Breach("latency_p99_seconds", thresholds.latency_p99_seconds, None, says)
    achieved = 100 * total.sent / due if due else 0.0
    least = thresholds.achieved_percent
    if least is not None and achieved < least:
        says = f"{achieved:.1f} % of what was due was sent, at least {least:g} % should be"
        yield Breach("achieved_percent", least, round(achieved, 2), says)


def _at_most(name: str, limit: float | None, found: float | None) -> Iterator[Breach]:
    if limit is not None and found is not None and found > limit:
        told = f"{found:,.2f}".rstrip("0").rstrip(".")
        yield Breach(name, limit, round(found, 3), f"{name.replace('_', ' ')}: {told}, at most {limit:g} allowed")

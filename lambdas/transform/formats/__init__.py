"""The text formats: what a line that is not JSON says of itself, found without being told its format.

A parser is a function (see found) in a module here, its LEADS, and one line in FORMATS. Which are tried is looked up by
how the line begins, so a line of prose meets two or three that see at a glance that it is not theirs. The first that
takes a line wins, so the stricter comes first. The line stays the body; what is understood of it becomes attributes:

| Attribute | Of |
|---|---|
| client.address, client.port, user.name, server.address, server.port | access and error logs, PostgreSQL |
| http.request.method, http.response.status_code, http.response.body.size, url.path, url.query, url.full | access logs |
| http.request.size, http.response.size | with the headers: load balancers, HAProxy |
| network.protocol.name, network.protocol.version, user_agent.original, tls.* | access logs |
| http.request.header.<name> | referer, x-forwarded-for, x-amzn-trace-id; a list, as OpenTelemetry has it |
| upstream.address, upstream.port, upstream.status_code | whom a proxy asked |
| log.logger (ECS) | the logger's name, which OpenTelemetry has no attribute for |
| process.pid, process.name, thread.id, thread.name, code.file.path, code.line.number, code.function.name | loggers |
| host.name, syslog.facility, syslog.version, syslog.appname, syslog.procid, syslog.msgid, syslog.<id>.<name> | syslog |
| faas.invocation_id, faas.version, faas.*_ms, faas.*_mb | AWS Lambda |
| db.namespace, error.code, apache.*, aws.elb.*, envoy.*, haproxy.*, mysql.*, nginx.*, redis.* | what only they have |

https://opentelemetry.io/docs/specs/semconv/registry/attributes/ · https://www.elastic.co/docs/reference/ecs
Numbers are integers, or decimals where the line has them; a duration has its unit in its name.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from lambdas.transform.formats import (
    access,
    bracketed,
    databases,
    klog,
    lambda_runtime,
    levelled,
    load_balancers,
    logfmt,
    proxies,
    stamped,
    syslog,
    web_errors,
)
from lambdas.transform.formats.found import DATES, Found, Parser


class Format(NamedTuple):
    """A parser, and what its lines can start with: one or two characters, or of found.DATES."""

    read: Parser
    leads: frozenset[str]


FORMATS: dict[str, Format] = {
    "lambda": Format(lambda_runtime.read_lambda, frozenset(lambda_runtime.LEADS)),
    "logfmt": Format(logfmt.read_logfmt, frozenset(logfmt.LEADS)),
    "access": Format(access.read_access, frozenset(access.LEADS)),
    "load_balancer": Format(load_balancers.read_load_balancer, frozenset(load_balancers.LEADS)),
    "envoy": Format(proxies.read_envoy, frozenset(proxies.ENVOY_LEADS)),
    "haproxy": Format(proxies.read_haproxy, frozenset(proxies.HAPROXY_LEADS)),
    "apache_error": Format(web_errors.read_apache_error, frozenset(web_errors.APACHE_LEADS)),
    "nginx_error": Format(web_errors.read_nginx_error, frozenset(web_errors.NGINX_LEADS)),
    "postgresql": Format(databases.read_postgresql, frozenset(databases.POSTGRESQL_LEADS)),
    "mysql": Format(databases.read_mysql, frozenset(databases.MYSQL_LEADS)),
    "redis": Format(databases.read_redis, frozenset(databases.REDIS_LEADS)),
    "syslog": Format(syslog.read_syslog, frozenset(syslog.LEADS)),
    "klog": Format(klog.read_klog, frozenset(klog.LEADS)),
    "stamped": Format(stamped.read_stamped, frozenset(stamped.LEADS)),
    "bracketed": Format(bracketed.read_bracketed, frozenset(bracketed.LEADS)),
    "levelled": Format(levelled.read_levelled, frozenset(levelled.LEADS)),
}
"""Every format by its name in sluice.yaml, in the order of trial."""

PARSERS: dict[str, Parser] = {name: entry.read for name, entry in FORMATS.items()}
"""The same without how their lines begin."""

Trials = dict[str, tuple[Parser, ...]]
"""For everything that a line can start with, the parsers to try. Equal tuples are one."""


def plan_trials(names: Iterable[str] = FORMATS) -> Trials:
    """Say which parsers to try on what, of those with these names. Done once for a route; KeyError for no format."""
    allowed = set(map(FORMATS.__getitem__, names))
    formats = [entry for entry in FORMATS.values() if entry in allowed]
    planned: Trials = {}
    same: dict[tuple[Parser, ...], tuple[Parser, ...]] = {}
    for lead in {lead for entry in formats for lead in entry.leads}:
        readers = tuple(
            entry.read for entry in formats if lead in entry.leads or (lead not in DATES and lead[0] in entry.leads)
        )
        planned[lead] = same.setdefault(readers, readers)
    return planned


ALL: Trials = plan_trials()
"""Automatic detection: every format is tried."""


def find_parsers(text: str, trials: Trials = ALL) -> tuple[Parser, ...]:
    """Say which parsers a line is to be tried by, in order; lines that are tried by the same get the same tuple."""
    readers = trials.get(text[4:11:6]) if text[:1] == "2" else trials.get(text[:2])
    return readers or trials.get(text[:1], ())


def read_text(text: str, observed: str, trials: Trials = ALL) -> Found | None:
    """Read a line by the first parser that takes it; None when none does."""
    for read in find_parsers(text, trials):
        if found := read(text, observed):
            return found
    return None


def detect(text: str, observed: str, trials: Trials = ALL) -> tuple[str, Found] | None:
    """Read a line as read_text does, and tell the name of the format that took it."""
    found = read_text(text, observed, trials)
    if found is None:
        return None
    tried = set().union(*trials.values())
    return next(name for name, read in PARSERS.items() if read in tried and read(text, observed)), found


__all__ = [
    "ALL",
    "FORMATS",
    "PARSERS",
    "Format",
    "Found",
    "Parser",
    "Trials",
    "detect",
    "find_parsers",
    "plan_trials",
    "read_text",
]

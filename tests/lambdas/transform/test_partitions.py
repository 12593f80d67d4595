"""A document's folder: a name that is safe, the same for the same value, and never another's."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.document import Document, Resource, Source
from lambdas.transform.levels import read_level
from lambdas.transform.partitions import Partitions
from lambdas.transform.spec import PartitionKey
from lambdas.transform.tally import Counts

SAFE = re.compile(r"[A-Za-z0-9._-]{1,64}")


def make(*, resource=None, tag="web", attributes=None, severity=None, body="said"):
    source = Source(resource=Resource(resource or {}), tag=tag, attributes=attributes or {}, shared=b"")
    document = Document(source, "2026-11-21T02:36:00.123456789Z", body, "0" * 32)
    document.severity = read_level(severity) if severity else None
    return document


def value_of(told, *, values=None, counts=None):
    key = PartitionKey("key", "attributes.key", values and frozenset(values))
    [(name, value)] = Partitions([key]).choose(make(attributes={"key": told}), counts or Counts())
    assert name == "key"
    return value


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("tag", "web"),
        ("severity.text", "ERROR"),
        ("resource.service.name", "shop"),
        ("attributes.http.route", "_basket__id_"),
        ("attributes.user.id", "17"),
        ("body", "said"),
    ],
)
def test_a_key_is_any_field_that_rules_know(field, value):
    document = make(
        severity="error",
        resource={"service": {"name": "shop"}},
        attributes={"http.route": "/basket/{id}", "user": {"id": 17}},
    )
    assert Partitions([PartitionKey("key", field)]).choose(document, Counts()) == (("key", value),)


@pytest.mark.parametrize(
    ("told", "value"),
    [
        ("Web-2.a_b", "Web-2.a_b"),
        ("a/b c", "a_b_c"),
        ("../..", ".._.."),
        ("naïve", "na_ve"),
        ("١٢", "__"),
        ("a\nb\x00", "a_b_"),
        ("k" * 64, "k" * 64),
        ("k" * 65, "k" * 64),
        (17, "17"),
        (-0.5, "-0.5"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        ("", "none"),
        (None, "none"),
        ([], "none"),
        (["web"], "none"),
        ({"a": 1}, "none"),
    ],
)
def test_a_value_is_made_safe_for_a_name(told, value):
    assert value_of(told) == value


@pytest.mark.parametrize("field", ["attributes.missing", "resource.missing", "severity.text", "tag"])
def test_a_field_that_is_not_there_is_none(field):
    counts = Counts()
    assert Partitions([PartitionKey("key", field)]).choose(make(tag=None), counts) == (("key", "none"),)
    assert (counts.partition_none, counts.partition_other) == (1, 0)


def test_a_value_that_the_route_does_not_name_is_other():
    counts = Counts()
    told = ["web", "shop 2", "shop", "", None]
    assert [value_of(each, values=["web", "shop_2"], counts=counts) for each in told] == [
        *("web", "shop_2", "other", "none", "none")
    ]
    assert (counts.partition_none, counts.partition_other) == (2, 1)


def test_a_document_is_counted_once_however_many_of_its_keys_are_none_or_other():
    keys = [PartitionKey(name, f"attributes.{name}") for name in "ab"]
    keys += [PartitionKey(name, "tag", frozenset({"shop"})) for name in "cd"]
    partitions, counts = Partitions(keys), Counts()
    for _ in range(3):
        chosen = partitions.choose(make(), counts)
    assert chosen == (("a", "none"), ("b", "none"), ("c", "other"), ("d", "other"))
    assert (counts.partition_none, counts.partition_other) == (3, 3)


def test_keys_are_in_the_order_of_the_route():
    keys = [PartitionKey("z", "tag"), PartitionKey("a", "attributes.a")]
    assert Partitions(keys).choose(make(attributes={"a": "1"}), Counts()) == (("z", "web"), ("a", "1"))


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=100)


@given(scalars | st.lists(scalars, max_size=2) | st.dictionaries(st.text(), scalars, max_size=2))
def test_whatever_it_is_it_can_be_in_a_name(told):
    assert SAFE.fullmatch(value_of(told))
    assert value_of(told, values=["web"]) in {"web", "other", "none"}


def test_a_value_as_large_as_a_document_is_not_remembered_whole():
    partitions = Partitions([PartitionKey("key", "attributes.key")])
    kept = "v" * 64
    for end in "ab":
        assert partitions.choose(make(attributes={"key": kept + end * 900_000}), Counts()) == (("key", kept),)
    assert partitions._chosen.cache_info().currsize == 1

"""What is redacted, where, how, and what stays."""

import copy
from collections import Counter

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdas.transform.document import Document, Resource, Source
from lambdas.transform.errors import RecordError
from lambdas.transform.limits import MAX_REDACTIONS_PER_TEXT
from lambdas.transform.rules.expressions import ExpressionError
from lambdas.transform.rules.key import RedactionKey
from lambdas.transform.rules.patterns import PATTERNS

CARD = "4111 1111 1111 1111"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def document(body="", attributes=None, *, resource=None, tag=None):
    source = Source(resource=Resource(resource or {}), tag=tag, attributes=attributes or {}, shared=b"")
    return Document(source, "2026-11-21T02:36:00.123456789Z", body, "0" * 32)


@pytest.fixture
def redact(make_rules):
    """Redact one document by rules; what became of body and attributes, and the counts."""

    def run(body, attributes=None, *rules, **others):
        made, counts = document(body, attributes), {}
        make_rules(redact=list(rules), **others).apply([made], counts)
        return made.body, made.attributes, counts

    return run


def test_a_value_is_masked_in_body_attributes_and_keys_at_any_depth(redact):
    body, attributes, counts = redact(
        f"paid with {CARD}, thanks",
        {"card": CARD, "deep": [{"list": [f"({CARD})", 1, None]}], f"by {CARD}": True, "other": "4111"},
        {"pattern": "card"},
    )
    assert body == "paid with [redacted:card], thanks"
    assert attributes == {
        "card": "[redacted:card]",
        "deep": [{"list": ["([redacted:card])", 1, None]}],
        "by [redacted:card]": True,
        "other": "4111",
    }
    assert counts == {"card": 4}


def test_a_body_that_is_an_object_is_redacted_inside(redact):
    assert redact({"to": ["a@example.com"]}, {}, {"pattern": "email"})[0] == {"to": ["[redacted:email]"]}


def test_two_keys_that_become_one_both_stay(redact):
    assert redact("", {"a@example.com": 1, "b@example.com": 2}, {"pattern": "email"})[1] == {
        "[redacted:email]": 1,
        "[redacted:email]#1": 2,
    }


def test_a_number_is_examined_as_its_digits(redact):
    attributes = {"card": 4111111111111111, "id": 4111111111111112, "small": 7, "true": True, "half": 0.5}
    assert redact("", attributes, {"pattern": "card"})[1:] == (
        {**attributes, "card": "[redacted:card]"},
        {"card": 1},
    )


def test_remove_leaves_what_is_around(redact):
    assert redact("from 10.0.0.1 to 10.0.0.2.", {}, {"pattern": "ipv4", "action": "remove"})[0] == "from  to ."


def test_equal_values_have_equal_hashes_in_whatever_spelling(redact):
    rules = [{"pattern": "email", "action": "hash"}, {"pattern": "card", "action": "hash"}]
    body, attributes, counts = redact("bob@example.com", {"to": "Bob@Example.com", "c": "eve@example.com"}, *rules)
    assert body == attributes["to"] != attributes["c"]
    assert body.startswith("[redacted:email:")
    assert len(body) == len("[redacted:email:]") + 32
    assert counts == {"email": 3}
    assert redact(CARD, {}, *rules)[0] == redact(CARD.replace(" ", ""), {}, *rules)[0]


def test_another_key_gives_other_hashes(redact):
    rule = {"pattern": "email", "action": "hash"}
    keys = [RedactionKey("arn", fetch=lambda _, text=text: text * 32) for text in "ab"]
    assert len({redact("bob@example.com", {}, rule, key=key)[0] for key in keys}) == 2


def test_without_a_key_a_record_fails_and_nothing_is_counted(make_rules):
    def refuse(arn):
        raise OSError(arn)

    rules = make_rules(
        redact=[{"pattern": "ipv4"}, {"pattern": "email", "action": "hash"}], key=RedactionKey("arn", fetch=refuse)
    )
    counts = {}
    rules.apply([document("nothing to hash at 10.0.0.1")], counts)
    assert counts == {"ipv4": 1}
    with pytest.raises(RecordError) as failed:
        rules.apply([document("10.0.0.1"), document("bob@example.com")], counts)
    assert failed.value.reason == "no_redaction_key"
    assert counts == {"ipv4": 1}


def test_a_whole_secret_goes_before_a_pattern_finds_a_part_of_it(redact):
    every = [{"pattern": name} for name in reversed(PATTERNS)]
    assert redact("::ffff:10.0.0.1", {}, *every)[0] == "[redacted:ipv6]"
    assert redact(f"AKIAIOSFODNN7EXAMPLE,{SECRET}", {}, *every)[0] == "[redacted:aws-key],[redacted:aws-secret]"


@pytest.mark.parametrize(("action", "put"), [("mask", "[redacted:aws-secret]"), ("remove", "")])
def test_a_secret_key_is_known_by_the_name_of_its_member(redact, action, put):
    attributes = {"aws": {"secret_access_key": SECRET, "digest": SECRET}}
    assert redact("", attributes, {"pattern": "aws-secret", "action": action})[1:] == (
        {"aws": {"secret_access_key": put, "digest": SECRET}},
        {"aws-secret": 1},
    )


def test_an_expression_redacts_what_it_matches_in_any_text(redact):
    rule = {"name": "token", "regex": "tok_[a-z0-9]{4}", "action": "mask"}
    body, attributes, counts = redact("ü tok_ab12, tok_cd34", {"tok_ef56": ["x tok_gh78"], "n": 1}, rule)
    assert body == "ü [redacted:token], [redacted:token]"
    assert attributes == {"[redacted:token]": ["x [redacted:token]"], "n": 1}
    assert counts == {"token": 4}


def test_patterns_and_expressions_go_together(redact):
    rules = [{"name": "token", "regex": "tok_[a-z0-9]{4}"}, {"pattern": "email"}]
    assert redact("bob@example.com tok_ab12", {}, *rules)[0] == "[redacted:email] [redacted:token]"
    assert redact("tok_ab12", {"to": "a@b.example"}, *rules)[1] == {"to": "[redacted:email]"}


def test_an_expression_that_re2_does_not_take_is_refused_when_the_rules_are_made(make_rules):
    with pytest.raises(ExpressionError, match=r"RE2 does not take '\(\?=a\)': invalid perl operator"):
        make_rules(redact=[{"name": "x", "regex": "(?=a)"}])


def test_a_text_that_is_full_of_values_goes_as_a_whole(redact):
    at_the_limit = "10.0.0.1 " * MAX_REDACTIONS_PER_TEXT
    assert redact(at_the_limit, {}, {"pattern": "ipv4"})[0] == "[redacted:ipv4] " * MAX_REDACTIONS_PER_TEXT
    assert redact(at_the_limit + "10.0.0.1", {}, {"pattern": "ipv4"})[0] == "[redacted:ipv4]"


@pytest.mark.parametrize("action", ["mask", "hash", "remove"])
def test_a_field_is_redacted_flat_and_nested_and_when_it_came_twice(redact, action):
    attributes = {"user.email": "x", "user.email#1": "y", "user": {"email": ["z"], "id": 1}, "email": "stays"}
    rule = {"name": "mail", "field": "attributes.user.email", "action": action}
    _, after, counts = redact("", attributes, rule)
    assert counts == {"mail": 3}
    assert (after["user"].get("id"), after["email"]) == (1, "stays")
    left = [after.get("user.email"), after.get("user.email#1"), after["user"].get("email")]
    if action == "remove":
        assert after == {"user": {"id": 1}, "email": "stays"}
    elif action == "mask":
        assert left == ["[redacted:mail]"] * 3
    else:
        assert len(set(left)) == 3


def test_a_field_without_a_name_is_counted_by_the_field(redact):
    assert redact("", {"a": 1}, {"field": "attributes.a"})[1:] == (
        {"a": "[redacted:attributes.a]"},
        {"attributes.a": 1},
    )


def test_body_tag_and_resource_are_redacted_where_a_rule_names_them(make_rules):
    made = document("text 10.0.0.1", resource={"host": {"ip": "10.0.0.1"}, "a": 1}, tag="web-10.0.0.1")
    source, resource = made.source, made.resource
    counts: dict[str, int] = {}
    make_rules(redact=[{"pattern": "ipv4"}]).apply([made], counts)
    assert (made.body, made.tag, made.resource) == ("text [redacted:ipv4]", "web-10.0.0.1", resource)
    rules = [{"field": name, "action": "remove"} for name in ("body", "tag", "resource.host.ip")]
    make_rules(redact=rules).apply([made], counts)
    assert (made.body, made.tag, made.resource.members) == (None, None, {"host": {}, "a": 1})
    assert b"10.0.0.1" not in (made.resource.json + made.source.json).encode()
    assert counts == {"ipv4": 1, "body": 1, "tag": 1, "resource.host.ip": 1}
    # What other documents share is as it was.
    assert (source.tag, resource.members["host"]) == ("web-10.0.0.1", {"ip": "10.0.0.1"})


def test_what_documents_share_is_never_changed_in_place(make_rules):
    shared = {"ip": "10.0.0.1", "deep": [{"ip": "10.0.0.1"}], "user": {"id": 1}}
    before = copy.deepcopy(shared)
    rules = make_rules(redact=[{"pattern": "ipv4"}, {"field": "attributes.user.id"}])
    documents = [document("a", shared), document("b", shared)]
    rules.apply(documents, counts := {})
    assert shared == before
    assert [each.attributes["ip"] for each in documents] == ["[redacted:ipv4]"] * 2
    assert counts == {"ipv4": 4, "attributes.user.id": 2}


def test_a_document_with_nothing_to_redact_is_left_as_it_is(make_rules):
    rules = make_rules(redact=[{"pattern": name} for name in PATTERNS] + [{"field": "attributes.none"}])
    # The second is looked at closely: it has a card's form, and not its check digit.
    for value in ("c", "4111111111111112"):
        attributes = {"a": {"b": [1, value]}}
        made = document("stock of 7 is low", attributes)
        rules.apply([made], counts := {})
        assert made.attributes is attributes
    assert counts == {}


def test_many_documents_are_redacted_as_each_alone_would_be(make_rules):
    rules = make_rules(redact=[{"pattern": name} for name in PATTERNS])
    bodies = [f"{at} from 10.0.1.{at % 256}" if at % 3 else f"{at} clean" for at in range(300)]
    together, alone = [document(body) for body in bodies], [document(body) for body in bodies]
    rules.apply(together, counts := {})
    for each in alone:
        rules.apply([each], {})
    assert [each.body for each in together] == [each.body for each in alone]
    assert [each.body for each in together[:3]] == ["0 clean", "1 from [redacted:ipv4]", "2 from [redacted:ipv4]"]
    assert counts == {"ipv4": 200}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)


@given(JSON, st.dictionaries(st.text(max_size=5), JSON, max_size=4), st.sampled_from(["mask", "hash", "remove"]))
def test_whatever_a_document_holds_the_value_is_gone_and_the_rest_is_there(make_rules, body, attributes, action):
    rules = make_rules(redact=[{"pattern": name, "action": action} for name in PATTERNS])
    clean, hit = document(body, attributes), document(body, {**attributes, "in": [{"it": f"<{CARD}>"}]})
    rules.apply([clean], before := {})
    rules.apply([hit], after := {})
    assert CARD not in orjson.dumps([hit.body, hit.attributes]).decode()
    assert Counter(after) - Counter(before) == {"card": 1}
    hit.attributes = {name: value for name, value in hit.attributes.items() if name != "in"}
    assert (hit.body, hit.attributes) == (clean.body, {k: v for k, v in clean.attributes.items() if k != "in"})


def test_deep_values_are_redacted_too(redact):
    value = CARD
    for _ in range(60):
        value = [value]
    body, _, counts = redact(value, {}, {"pattern": "card"})
    assert counts == {"card": 1}
    assert CARD not in orjson.dumps(body).decode()

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.transform.levels import read_level
from query import fields
from query.language import MAX_CLAUSES, parse, spell
from query.scanner import MAX_LENGTH
from query.terms import AtLeast, Between, Clause, Compare, Field, Query, QueryError, Value, When, Word
from tests.query.strategies import clauses


def one(text):
    (clause,) = parse(text).clauses
    return clause.term


def field(name, *values):
    return Field(name, tuple(Value((value,)) for value in values))


@pytest.mark.parametrize(
    ("text", "term"),
    [
        ("timeout", Word("timeout")),
        ('"connection  refused"', Word("connection  refused")),
        (r'"say \"no\" to c:\\temp \n"', Word(r'say "no" to c:\temp \n')),
        ("Error", AtLeast("error")),
        ('"error"', Word("error")),
        ("info", Word("info")),
        ("body:error", Word("error")),
        ("service:checkout", field("service", "checkout")),
        ('service:"a b"', field("service", "a b")),
        ('order_id:( o-1 , "o 2" )', field("order_id", "o-1", "o 2")),
        ("container:ecs-*-orders*", Field("container", (Value(("ecs-", "-orders", "")),))),
        ('path:"/a*"', field("path", "/a*")),
        ("resource.host.name:h1", field("resource.host.name", "h1")),
        ("status>=500", Compare("status", ">=", "500")),
        ("status:>=500", Compare("status", ">=", "500")),
        ("delay<-2.5e3", Compare("delay", "<", "-2.5e3")),
        ("status:500..599", Between("status", "500", "599")),
        ("level:warn..error", Between("level", "warn", "error")),
        ("range:a..b", field("range", "a..b")),
        ("10:30:00", Word("10:30:00")),
        ("http://shop/cart?x=1", Word("http://shop/cart?x=1")),
        ("user=5", Word("user=5")),
        ("<title>", Word("<title>")),
        ("foo(bar)", Word("foo(bar)")),
        ("time:2026-11-21", field("time", "2026-11-21")),
    ],
)
def test_a_term_is_read_as(text, term):
    assert one(text) == term
    assert one(f"-{text}") == term
    assert parse(f"-{text}").clauses[0].negated


@pytest.mark.parametrize(
    ("text", "when"),
    [
        ("last 15m", When(start="15m")),
        ("LAST 15 minutes", When(start="15m")),
        ("last hour", When(start="1h")),
        ("since 2h", When(start="2h")),
        ("since 2026-11-21", When(start="2026-11-21")),
        (
            "from 2026-11-21T10:00 to 2026-11-21T11:00:30.5+01:00",
            When("2026-11-21T10:00", "2026-11-21T11:00:30.5+01:00"),
        ),
        ("from 2026-11-21 10:00 to 2026-11-21 11:00", When("2026-11-21T10:00", "2026-11-21T11:00")),
        ("from 2h until 30 minutes", When("2h", "30m")),
        ("from 10:30", When(start="10:30")),
        ("until yesterday", When(end="yesterday")),
        ("today", When(start="today")),
        ("yesterday", When("yesterday", "yesterday")),
        ("from yesterday to now", When("yesterday", "now")),
    ],
)
def test_a_time_is_read_as(text, when):
    assert parse(text) == Query(when=when)
    assert parse(f"error {text} -health") == Query((Clause(AtLeast("error")), Clause(Word("health"), True)), when)


@pytest.mark.parametrize(
    ("text", "marked", "message"),
    [
        ("error service: last 15m", "service:", "service: wants a value"),
        ('error "no end', '"no end', "the quote has no end"),
        ("a -", "-", "nothing to negate"),
        ("a --b", "-", "nothing to negate"),
        ("last fortnight", "last fortnight", "last wants a time"),
        ("refused from 10.0.0.1", "from 10.0.0.1", "from wants a time"),
        ("from 2026-02-30", "from 2026-02-30", "from wants a time"),
        ("today last 5m", "last 5m", "a second time range"),
        ("x level>=loud", "loud", "'loud' is no severity"),
        ("x level:loud", "loud", "'loud' is no severity"),
        ("status>=many", "many", "'many' is no number"),
        ("status:500..many", "500..many", "'many' is no number"),
        ("service>=5", "service>=5", "service is not compared"),
        ("a OR b", "OR", "OR is not needed"),
        ("(a b)", "(a", "a parenthesis"),
        ("x:(a,b", "(a,b", "the list has no end"),
        ("x:(a,,b)", ",", "a value is missing"),
        ("x:(a,b)c", "c", "something follows"),
        ('"a"b', "b", "something follows"),
        ('a"b"', "a", "a quote inside a word"),
        ("time*", "time*", "a word is found wherever it stands"),
        ('x:""', '""', "nothing between the quotes"),
        ("level:err*", "err*", "a severity is not searched by its parts"),
    ],
)
def test_what_cannot_be_read_is_marked(text, marked, message):
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert text[caught.value.start : caught.value.end] == marked
    assert message in caught.value.message
    assert caught.value.remedy


def test_there_is_an_end_to_a_query():
    assert len(parse("a " * MAX_CLAUSES).clauses) == MAX_CLAUSES
    with pytest.raises(QueryError, match="more than 50 conditions"):
        parse("a " * (MAX_CLAUSES + 1))
    assert parse("a" * MAX_LENGTH)
    with pytest.raises(QueryError, match="2,001 characters"):
        parse("a" * (MAX_LENGTH + 1))
    with pytest.raises(QueryError, match="too long"):
        parse(f"x:({','.join('a' * 51)})")


ALPHABET = st.sampled_from(
    [
        *'ab5 :"\\()<>=*,.-\t\n\x1bÄ',
        "last",
        "from ",
        "to ",
        "15m",
        "level",
        "error",
        "..",
        ">=",
        "10:30",
        "2026-11-21",
        "T",
    ]
)


@given(st.one_of(st.text(max_size=60), st.lists(ALPHABET, max_size=25).map("".join)))
@example("x:(>=5*)")
@example("x:(5..*)")
@example("x:a(b)*c")
def test_any_text_is_read_or_refused_with_its_place(text):
    try:
        query = parse(text)
    except QueryError as error:
        if not 0 <= error.start <= len(text) or error.start >= error.end:
            raise AssertionError(f"marks {error.start} to {error.end}") from error
        return
    assert parse(spell(query)) == query


@given(st.lists(clauses(), max_size=4), st.sampled_from((None, When("15m"), When("10:30", "now"), When(end="2h"))))
def test_what_is_spelled_is_read_as_the_same(wanted, when):
    query = Query(tuple(wanted), when)
    assert parse(spell(query)) == query


def test_levels_are_called_and_numbered_as_the_transformer_does():
    for word, number in fields.LEVELS.items():
        level = read_level(word)
        assert level is not None
        assert (level.number, level.text) == (number, fields.LEVEL_TEXTS[number])


ODD = (
    *(
        "OR",
        "today",
        "Last",
        "Error",
        "-a",
        "a*b",
        "a:b",
        "a>b",
        "last 5m",
        "(",
        ">=5",
        "5..9",
        "http://x",
        '"',
        "\\",
        "\\\\",
    ),
    *("a\nb", "a,b", "a)", "x:>=5", "level", "from"),
)


@given(st.one_of(st.sampled_from(ODD), st.text(min_size=1, max_size=40)), st.booleans())
def test_any_text_can_be_searched_for(text, negated):
    in_list = Field("order_id", (Value((text,)), Value((">=5", ""))))
    for term in (Word(text), field("order_id", text), in_list):
        query = Query((Clause(term, negated), Clause(AtLeast("warn"))))
        assert parse(spell(query)) == query

"""The step that finds the trace a line belongs to."""

import pytest

from lambdas.transform.steps.trace import take_traces

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
XRAY, XRAY_TRACE = "1-5759e988-bd862e3fe1be46a994272793", "5759e988bd862e3fe1be46a994272793"


def take(make_document, attributes):
    document = make_document("x", attributes=attributes)
    before = repr(attributes)

    take_traces([document])

    assert repr(attributes) == before  # they are shared
    return document.trace_id, document.span_id, document.attributes


@pytest.mark.parametrize(
    "attributes",
    [
        {"trace_id": TRACE, "span_id": SPAN},
        {"traceId": TRACE, "spanId": SPAN},
        {"trace.id": TRACE, "span.id": SPAN},
        {"TraceID": TRACE, "SpanID": SPAN},
        {"otelTraceID": TRACE, "otelSpanID": SPAN},
        {"@tr": TRACE, "@sp": SPAN},
        {"trace": {"id": TRACE}, "span": {"id": SPAN}},
        {"otel": {"trace_id": TRACE, "span_id": SPAN}},
        {"mdc": {"traceId": TRACE, "spanId": SPAN}},
        {"contextMap": {"trace_id": TRACE, "span_id": SPAN}},
        {"X-B3-TraceId": TRACE, "X-B3-SpanId": SPAN},
    ],
)
def test_ids_in_their_one_form_move_to_the_document(make_document, attributes):
    assert take(make_document, {**attributes, "n": 1}) == (TRACE, SPAN, {"n": 1})


@pytest.mark.parametrize(
    ("attributes", "trace", "span"),
    [
        ({"traceparent": f"00-{TRACE}-{SPAN}-01"}, TRACE, SPAN),
        ({"traceparent": f"01-{TRACE}-{SPAN}-01-more"}, TRACE, SPAN),
        ({"b3": f"{TRACE}-{SPAN}-1"}, TRACE, SPAN),
        ({"b3": f"{SPAN}-{SPAN}"}, "0" * 16 + SPAN, SPAN),
        ({"X-B3-TraceId": SPAN}, "0" * 16 + SPAN, None),
        ({"trace_id": TRACE.upper()}, TRACE, None),
        ({"xray_trace_id": XRAY}, XRAY_TRACE, None),
        ({"X-Amzn-Trace-Id": f"Root={XRAY};Parent=53995c3f42cd8ad8;Sampled=1"}, XRAY_TRACE, "53995c3f42cd8ad8"),
        ({"X-Amzn-Trace-Id": f"Self=1-67891234-12456789abcdef012345678a;Root={XRAY}"}, XRAY_TRACE, None),
        ({"AWS-XRAY-TRACE-ID": f"{XRAY}@53995c3f42cd8ad8"}, XRAY_TRACE, "53995c3f42cd8ad8"),
        ({"logging.googleapis.com/trace": f"projects/p/traces/{TRACE}"}, TRACE, None),
        ({"dd.trace_id": "1234567890123456789"}, f"{1234567890123456789:032x}", None),
        ({"dd.trace_id": "18446744073709551615"}, "0" * 16 + "f" * 16, None),
        ({"dd": {"trace_id": 255, "span_id": "16"}}, f"{255:032x}", f"{16:016x}"),
        ({"dd": {"trace_id": TRACE.upper(), "span_id": "1", "service": "s"}}, TRACE, f"{1:016x}"),
    ],
)
def test_ids_in_another_spelling_are_read_and_stay_as_they_were_written(make_document, attributes, trace, span):
    assert take(make_document, attributes) == (trace, span, attributes)


def test_google_span_goes_while_its_trace_says_more(make_document):
    attributes = {"logging.googleapis.com/trace": f"projects/p/traces/{TRACE}", "logging.googleapis.com/spanId": SPAN}

    assert take(make_document, attributes) == (
        TRACE,
        SPAN,
        {"logging.googleapis.com/trace": f"projects/p/traces/{TRACE}"},
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"n": 1},
        {"trace_id": "0" * 32, "span_id": "0" * 16},
        {"trace_id": "0" * 32, "span_id": SPAN},
        {"span_id": SPAN},
        {"trace_id": TRACE[:-1]},
        {"trace_id": TRACE + "0"},
        {"trace_id": "g" * 32},
        {"trace_id": "٣" * 32},
        {"trace_id": "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"},
        {"trace_id": 7},
        {"trace_id": None},
        {"trace_id": [TRACE]},
        {"trace": TRACE[:8]},
        {"trace": {"id": {}}},
        {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
        {"traceparent": f"00-{TRACE}"},
        {"traceparent": f"00-{TRACE}-{SPAN}-01-" + "x" * 300},
        {"xray_trace_id": "1-5759e988"},
        {"xray_trace_id": "Root=" * 100_000},
        {"X-Amzn-Trace-Id": "1-" * 100_000},
        {"dd.trace_id": "0"},
        {"dd.trace_id": "18446744073709551616"},
        {"dd.trace_id": "-1"},
        {"dd.trace_id": True},
        {"dd.trace_id": 1.5},
        {"dd.trace_id": "9" * 100_000},
        {"dd.span_id": "16"},
        {"mdc": {}},
        {"mdc": TRACE},
    ],
)
def test_what_is_no_id_of_a_trace_is_left_alone(make_document, attributes):
    assert take(make_document, attributes) == (None, None, attributes)


def test_ids_of_two_families_are_never_mixed(make_document):
    attributes = {"trace_id": TRACE, "dd.trace_id": "7", "dd.span_id": "8"}

    assert take(make_document, attributes) == (TRACE, None, {"dd.trace_id": "7", "dd.span_id": "8"})


def test_family_without_a_valid_trace_gives_way_to_the_next(make_document):
    attributes = {"trace_id": "0" * 32, "span_id": SPAN, "dd.trace_id": "7", "dd.span_id": "8"}

    assert take(make_document, attributes) == (f"{7:032x}", f"{8:016x}", attributes)


def test_what_stands_at_the_top_wins_over_what_is_inside(make_document):
    attributes = {"mdc": {"trace_id": "f" * 32, "user": "u"}, "trace_id": TRACE}

    assert take(make_document, attributes) == (TRACE, None, {"mdc": {"trace_id": "f" * 32, "user": "u"}})


def test_trace_that_is_known_is_not_overruled(make_document):
    document = make_document("x", attributes={"trace_id": TRACE})
    document.trace_id = "f" * 32

    take_traces([document])

    assert (document.trace_id, document.attributes) == ("f" * 32, {"trace_id": TRACE})

"""E-mail and IP addresses, and what in logs looks like them and is not."""

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lambdas.transform.rules.addresses import find_emails, find_ipv4s, find_ipv6s


def found(find, text):
    return [text[start:end] for start, end, _ in find(text)]


@pytest.mark.parametrize(
    "address", ["bob@example.com", "b.o-b+tag_1%x@mail.example.co.uk", "jürgen@müller.example", "a@b.museum"]
)
def test_an_address_is_found_wherever_it_stands(address):
    for before, after in (("to <", ">"), ("email=", "&x=1"), ("mailto:", "."), ('"', '"'), ("", ", ok")):
        assert found(find_emails, before + address + after) == [address]


def test_the_canonical_address_is_lower_case():
    assert [each[2] for each in find_emails("Bob@Example.COM")] == ["bob@example.com"]


@pytest.mark.parametrize(
    "text",
    ["root@localhost", "icon@2x.png", "lodash@4.17.21", "@example.com", "java.lang.Object@1b2c3d", "a @b.com", "a@b.c"],
)
def test_what_only_looks_like_an_email_address_is_none(text):
    assert found(find_emails, text) == []


# A version of a browser, and the network of everything.
@given(st.ip_addresses(v=4).filter(lambda address: not str(address).endswith(".0.0.0")))
def test_every_ipv4_address_of_a_host_is_found(address):
    text = f"from {address}:443, [{address}] /{address}."
    assert found(find_ipv4s, text) == [str(address)] * 3


@pytest.mark.parametrize(
    "text",
    [
        "Chrome/120.0.0.0",
        "10.0.0.256",
        "1.2.3",
        "1.2.3.4.5",
        "01.2.3.4",
        "v1.2.3.4",
        "1.2.3.4a",
        "1234.1.1.1",
        "1.2..3.4",
    ],
)
def test_what_only_looks_like_ipv4_is_none(text):
    assert found(find_ipv4s, text) == []


@given(st.ip_addresses(v=6).filter(lambda address: any(each.isdigit() for each in str(address))))
@example(IPv6Address("64:ff9b::"))
def test_every_ipv6_address_is_found_in_every_spelling(address):
    for spelled in (address.compressed, address.exploded, address.compressed.upper()):
        text = f"from {spelled}, [{spelled}]:443 {spelled}: refused {spelled}%eth0 {spelled}/64"
        assert [each[2] for each in find_ipv6s(text)] == [IPv6Address(spelled).compressed] * 5


@given(st.ip_addresses(v=4))
def test_an_ipv6_address_may_end_as_an_ipv4_address(address):
    assert found(find_ipv6s, f"({'::ffff:' + str(address)})") == [f"::ffff:{address}"]


@pytest.mark.parametrize(
    "text",
    ["02:22:24", "std::vector", "face::bad", "::", "aa:bb:cc:dd:ee:ff", "Net::HTTP", "1:2:3:4:5:6:7:8:9", "a::b::1"],
)
def test_what_only_looks_like_ipv6_is_none(text):
    assert found(find_ipv6s, text) == []


def test_ipv4_is_what_python_takes_for_it():
    for text in ("255.255.255.255", "0.0.0.1", "127.0.0.1"):
        assert found(find_ipv4s, text) == [str(IPv4Address(text))]


@pytest.mark.parametrize("find", [find_emails, find_ipv4s, find_ipv6s])
def test_time_grows_with_the_length_and_not_faster(find, growth):
    for piece in ("a", "a@", "a@b.", "@", "a.b@c.d-", "1.", "1.2.3.4", "1", ":", "::1", "a:", "f:f:f:f:f:f:f:", "1::"):
        assert growth(find, piece) < 4, piece

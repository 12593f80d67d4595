"""Private keys, tokens and AWS keys. Every one here was made up or comes from the documentation that explains it."""

import base64
import json

import pytest

from lambdas.transform.rules.secrets import (
    find_aws_keys,
    find_aws_secrets,
    find_jwts,
    find_private_keys,
    is_aws_secret,
)

LINES = "\n".join(["MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQ" + "A" * 14] * 3)
PEM = f"-----BEGIN PRIVATE KEY-----\n{LINES}\n-----END PRIVATE KEY-----"
# https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_access-keys.html
KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def left(find, text):
    """The text without what is found."""
    kept, at = "", 0
    for start, end, _ in find(text):
        kept += text[at:start] + "*"
        at = end
    return kept + text[at:]


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH ", "PGP "])
def test_a_private_key_goes_from_marker_to_marker(kind):
    block = " BLOCK" if kind == "PGP " else ""
    pem = PEM.replace("PRIVATE KEY", f"{kind}PRIVATE KEY{block}")
    assert left(find_private_keys, f"loaded {pem} from disk") == "loaded * from disk"


def test_a_private_key_with_literal_line_ends_is_one():
    escaped = PEM.replace("\n", r"\n")
    assert left(find_private_keys, f'{{"key":"{escaped}","id":1}}') == '{"key":"*","id":1}'


def test_a_private_key_that_was_cut_off_ends_with_the_text():
    assert left(find_private_keys, f"loaded {PEM[:80]}") == "loaded *"


def test_the_rest_of_a_private_key_begins_after_the_last_space():
    assert left(find_private_keys, f"and then {PEM[60:]} done") == "and then * done"


def test_two_private_keys_are_two_and_what_is_between_stays():
    assert left(find_private_keys, f"a {PEM} b {PEM} c") == "a * b * c"
    assert left(find_private_keys, f"a {PEM} {PEM[60:]} {PEM} c") == "a * * * c"


@pytest.mark.parametrize("text", [PEM.replace("PRIVATE", "PUBLIC"), "-----BEGIN CERTIFICATE-----", "my PRIVATE KEY"])
def test_what_is_public_is_no_private_key(text):
    assert left(find_private_keys, text) == text


def encoded(value):
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


HEADER = encoded({"alg": "HS256", "typ": "JWT"})
CLAIMS = encoded({"sub": "1234567890", "name": "John Doe"})


@pytest.mark.parametrize(
    "token",
    [
        f"{HEADER}.{CLAIMS}.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        f"{encoded({'alg': 'none'})}.{CLAIMS}.",
        f"{encoded({'alg': 'RSA-OAEP', 'enc': 'A256GCM'})}.a-_b.c.d.e",
        f"{encoded({'alg': 'HS256', 'kid': 'ÿ>?~'})}.{CLAIMS}.x-y_z",
    ],
)
def test_a_token_is_found_wherever_it_stands(token):
    for before, after in (("Bearer ", ""), ("?token=", "&a=b"), ('"', '"'), (r"x\n", " ")):
        assert left(find_jwts, before + token + after) == f"{before}*{after}"


@pytest.mark.parametrize(
    "text",
    [
        "eyJhbGciOi",
        f"{HEADER}.{CLAIMS}",  # the third part is missing, dot and all
        "eyJxxxxxxxxxxxx.yyyy.zzzz",  # is no JSON
        f"eyJ{'x' * 9000}.a.b",
        f"a{HEADER}.{CLAIMS}.c",
    ],
)
def test_what_only_looks_like_a_token_is_none(text):
    assert left(find_jwts, text) == text


@pytest.mark.parametrize("prefix", ["AKIA", "ASIA", "ABIA", "ACCA"])
def test_an_access_key_id_is_found_by_its_prefix(prefix):
    assert left(find_aws_keys, f"key={prefix}{KEY_ID[4:]},") == "key=*,"


@pytest.mark.parametrize("text", [f"X{KEY_ID}", f"{KEY_ID}X", KEY_ID[:-1], KEY_ID.lower(), "AIDAIOSFODNN7EXAMPLE"])
def test_what_only_looks_like_an_access_key_id_is_none(text):
    assert left(find_aws_keys, text) == text


@pytest.mark.parametrize(
    "before",
    [
        "aws_secret_access_key = ",
        "AWS_SECRET_ACCESS_KEY=",
        '{"SecretAccessKey": "',
        "secretAccessKey: '",
        "aws-secret: ",
        "secret_key=>",
    ],
)
def test_a_secret_key_is_found_behind_its_name(before):
    assert left(find_aws_secrets, f"{before}{SECRET}' and") == f"{before}*' and"


def test_a_secret_key_is_found_behind_its_id():
    assert left(find_aws_secrets, f"{KEY_ID},{SECRET}\n") == f"{KEY_ID},*\n"


def test_a_secret_key_with_escaped_slashes_is_the_same_one():
    escaped = SECRET.replace("/", r"\/")
    assert [found[2] for found in find_aws_secrets(f'"secret_key":"{escaped}"')] == [SECRET]


@pytest.mark.parametrize("text", [SECRET, f"secret_key={SECRET}x", f"secret_key={SECRET[1:]}", f"sha={SECRET}"])
def test_forty_characters_alone_are_no_secret(text):
    assert left(find_aws_secrets, text) == text


def test_a_member_is_a_secret_by_its_name_and_its_form():
    assert is_aws_secret("aws.secretAccessKey", SECRET)
    assert not is_aws_secret("digest", SECRET)
    assert not is_aws_secret("secret_key", SECRET + "x")


@pytest.mark.parametrize("find", [find_private_keys, find_jwts, find_aws_keys, find_aws_secrets])
def test_time_grows_with_the_length_and_not_faster(find, growth):
    pieces = (
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "A\\n-----END RSA PRIVATE KEY-----",
        "eyJ",
        "eyJhbGciOi.",
        "eyJhbGciOi..eyJ",
        "AKIA",
        KEY_ID,
        "secret_key",
        "secret_key=" + "a" * 39 + "=",
    )
    for piece in pieces:
        assert growth(find, piece) < 4, piece

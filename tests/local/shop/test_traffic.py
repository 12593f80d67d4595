from collections import Counter
from itertools import islice

from local.shop.traffic import plan_requests


def test_a_seed_repeats_its_requests_and_another_does_not():
    one, again, other = (list(islice(plan_requests(seed), 50)) for seed in (1, 1, 2))

    assert one == again
    assert one != other


def test_the_mix_has_every_kind_of_request():
    kinds = Counter(
        (request.method, request.path.split("/")[1].split("?")[0], "coupon" in request.path)
        for request in islice(plan_requests(0), 300)
    )

    assert set(kinds) == {
        ("GET", "", False),
        ("GET", "products", False),
        ("GET", "wp-admin", False),
        ("POST", "buy", False),
        ("POST", "buy", True),
    }

"""A limit of tokens, and answers that claim to have taken more than there is."""

from __future__ import annotations

from pytest_pitcheval.concurrency.limits.buckets import Bucket
from pytest_pitcheval.settings.rate_limits import parse_rate_limits


def test_what_answers_claim_to_have_taken_ends_no_later_call() -> None:
    [limit] = parse_rate_limits("1000tokens/s")
    bucket = Bucket(limit, 0, None)
    for _ in range(20):
        bucket.settle(0, 10**308, 10**308)
    looks = iter([False, True])
    bucket.take(10, lambda: next(looks))
    assert list(looks) == [True]  # it was let through at once
    bucket.close()

"""The small parts: ids, the cache, the metrics."""

from __future__ import annotations

import time
import uuid

from router.engine import Router
from router.request.view import read_prompt
from serving.cache import ScoreCache
from serving.ids import Ids
from serving.metrics import Metrics


def test_ids_are_version_7_of_the_rfc_variant_and_carry_the_time() -> None:
    before = time.time_ns() // 1_000_000
    found = uuid.UUID(Ids().new())
    assert (found.version, found.variant) == (7, uuid.RFC_4122)
    assert before <= found.int >> 80 <= time.time_ns() // 1_000_000


def test_ids_are_distinct_and_sort_by_time() -> None:
    ids = Ids()
    first = ids.new()
    time.sleep(0.002)
    many = [ids.new() for _ in range(5000)]
    assert len(set(many)) == 5000
    assert first < min(many)


def test_the_cache_forgets_the_least_recently_used_prompt(tiny_bundle: str) -> None:
    router, cache = Router.load(tiny_bundle), ScoreCache(2)
    views = [read_prompt(text) for text in ("one", "two", "three")]
    reading = router.read(views[0])
    scores = router.score_reading(reading)
    for view in views[:2]:
        cache.put(cache.key(view), scores, reading)
    assert cache.get(cache.key(views[0])) is not None
    cache.put(cache.key(views[2]), scores, reading)
    found = [cache.get(cache.key(view)) is not None for view in views]
    assert found == [True, False, True]


def test_the_key_depends_on_everything_that_predictions_depend_on() -> None:
    cache = ScoreCache(1)
    plain = read_prompt("count")
    same = {"role": "user", "content": "count"}
    turns = read_prompt([same, {"role": "assistant", "content": "what?"}, same])
    keys = {cache.key(view) for view in (plain, turns, read_prompt("other"))}
    assert len(keys) == 3
    # a system message costs tokens, which are counted apart from the predictions
    longer = read_prompt([{"role": "system", "content": "s"}, {"role": "user", "content": "count"}])
    assert cache.key(longer) == cache.key(plain)
    assert cache.key(read_prompt("count")) == cache.key(plain)


def test_the_key_takes_text_that_is_no_unicode() -> None:
    assert ScoreCache(1).key(read_prompt("half \ud800 pair"))


def test_a_cache_of_size_0_keeps_nothing(tiny_bundle: str) -> None:
    router, cache = Router.load(tiny_bundle), ScoreCache(0)
    view = read_prompt("one")
    cache.put(cache.key(view), router.score(view), router.read(view))
    assert len(cache) == 0


def test_every_series_starts_at_0_before_the_first_request() -> None:
    text = Metrics().render().decode()
    for line in (
        'tierwise_reasons_total{code="out_of_distribution"} 0.0',
        'tierwise_reasons_total{code="invalid_prediction"} 0.0',
        'tierwise_problems_total{code="internal_error"} 0.0',
        'tierwise_cache_lookups_total{result="hit"} 0.0',
    ):
        assert line in text

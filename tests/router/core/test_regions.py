"""Kinds of work: a threshold is a share of spend within each, and far prompts are next to one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router import Policy, Router
from router.core.choice import choose_share
from router.core.manifest import Manifest, Region, read_manifest
from router.core.map_rows import MapRows, read_map_rows
from router.core.promises import promises, promises_by_kind
from router.core.scoring import KNOWN
from router.request.view import read_prompt
from router.types import Doubles, Scores
from tests.router.catalogued import with_manifest
from training.bundle.oof_predictions import arrays_of, compacted, constants
from training.prepare.golden import GOLDEN_PROMPTS

SHARES = st.floats(0, 1)
FAR_TIE = 0.25


def rows_of(router: Router) -> MapRows:
    rows: MapRows | None = router.bundle.map_rows
    assert rows is not None
    return rows


def with_regions(router: Router, kinds: tuple[str | None, ...]) -> Router:
    """The router with its clusters dealt to kinds that have maps of their own."""
    size = len(router.manifest.region_of)
    bare = tuple(
        Region(
            kind=kind, source="", clusters=tuple(range(i, size, len(kinds))), rows=100 + i, arms=3
        )
        for i, kind in enumerate(kinds)
    )
    manifest = router.manifest
    table, regions = rows_of(router).region_maps(bare, manifest.arms)
    decision = replace(manifest.decision, far_tie=FAR_TIE)
    made = replace(manifest, regions=regions, threshold_map=table, decision=decision)
    other = with_manifest(router, made)
    return Router(replace(other.bundle, made=made))


@pytest.fixture(scope="module")
def plain(tiny_bundle: Path) -> Router:
    return Router.load(tiny_bundle)


@pytest.fixture(scope="module")
def router(plain: Router) -> Router:
    return with_regions(plain, ("coding", None))


def kept_scores(router: Router) -> Scores:
    """The map's own rows as scores."""
    rows = rows_of(router)
    cost = rows.cost_usd(router.manifest.arms)
    return Scores(
        quality=rows.quality.astype(np.float64),
        quality_se=rows.quality_se.astype(np.float64),
        output_tokens=rows.output_tokens.astype(np.float64),
        cost_usd=cost,
        input_tokens=np.ones(cost.shape),
        cluster=rows.cluster,
        distance=np.zeros(len(rows)),
        in_distribution=np.ones(len(rows)),
    )


def spend(router: Router, scores: Scores, policy: Policy, among: list[int]) -> Doubles:
    """(n,) dollars of the arms that are chosen."""
    eligible = np.zeros(scores.quality.shape, dtype=np.bool_)
    eligible[:, among] = True
    arm = router.rule(policy).choose(scores, eligible)
    return np.asarray(scores.cost_usd[np.arange(len(arm)), arm])


@given(threshold=SHARES, some=st.sampled_from([None, 2, 3]))
def test_a_threshold_is_a_share_of_spend_within_every_kind(
    router: Router, threshold: float, some: int | None
) -> None:
    scores, among = kept_scores(router), list(range(some or len(router.arms)))
    names = () if some is None else tuple(router.arm_ids[i] for i in among)
    low, at, high = (
        spend(router, scores, Policy(threshold=t, allowed_models=names), among)
        for t in (0.0, threshold, 1.0)
    )
    for region in router.manifest.regions:
        own = np.isin(scores.cluster, region.clusters)
        rise = high[own].sum() - low[own].sum()
        assert (at[own].sum() - low[own].sum()) / rise == pytest.approx(threshold, abs=0.05)


@given(threshold=SHARES)
def test_many_prompts_are_decided_as_one_is(router: Router, threshold: float) -> None:
    scores = kept_scores(router)
    everything = np.ones(scores.quality.shape, dtype=np.bool_)
    rule = router.rule(Policy(threshold=threshold))
    together = rule.choose(scores, everything)
    for i in range(0, len(together), 41):
        assert rule.choose(scores.row(i), everything[:1])[0] == together[i]
    expected = [rule.expected(scores.row(i)) for i in range(len(together))]
    assert rule.expected(scores) == pytest.approx(tuple(np.mean(expected, axis=0)))


def test_decisions_name_the_kind_of_their_cluster(router: Router) -> None:
    for prompt in GOLDEN_PROMPTS:
        decision = router.route(prompt)
        region = router.manifest.regions[router.manifest.region_of[decision.cluster]]
        assert decision.kind == decision.to_dict()["kind"] == region.kind


def test_bundles_without_regions_name_none_and_decide_as_ever(plain: Router) -> None:
    bare = with_manifest(plain, replace(plain.manifest, regions=()))
    for prompt in GOLDEN_PROMPTS:
        for threshold in (0.2, 0.5, 0.8):
            old = bare.route(prompt, Policy(threshold=threshold))
            new = plain.route(prompt, Policy(threshold=threshold))
            assert old.kind is None
            assert old == replace(new, kind=None)


def test_a_kind_with_few_rows_has_the_map_of_all(plain: Router) -> None:
    size = len(plain.manifest.region_of)
    counts = np.bincount(rows_of(plain).cluster, minlength=size)
    rare = int(counts.argmin())
    regions = (
        Region(kind="rare", source="", clusters=(rare,), rows=1, arms=1),
        Region(kind="common", source="", clusters=tuple({*range(size)} - {rare}), rows=9, arms=1),
    )
    few = replace(rows_of(plain), cluster=np.where(rows_of(plain).cluster == rare, 1 - (rare == 1),
                  rows_of(plain).cluster))  # fmt: skip
    table, found = few.region_maps(regions, plain.manifest.arms)
    assert found[0].threshold_map is None
    assert found[1].threshold_map is not None
    made = replace(plain.manifest, regions=found, threshold_map=table)
    rule = Policy(threshold=0.4).resolve(made)
    scores = replace(kept_scores(plain).row(0), cluster=np.array([rare]))
    assert rule.expected(scores) == pytest.approx(
        tuple(np.interp(0.4, table.threshold, values) for values in (table.quality, table.cost_usd))
    )


def test_samples_hold_every_kind_and_are_their_own_samples(router: Router) -> None:
    rows = rows_of(router)
    many = rows.rows(np.tile(np.arange(len(rows)), 6))
    regions = router.manifest.regions
    once = many.sample(regions)
    again = once.sample(regions)
    assert len(once) == len(again) < len(many)
    assert (once.quality == again.quality).all()
    sizes = [len(once.within(region.clusters)) for region in regions]
    assert min(sizes) >= min(128, *(len(many.within(region.clusters)) for region in regions))


def far(router: Router, cluster: int) -> Scores:
    """The scores of a prompt that nothing is known of, next to a cluster."""
    raw = replace(kept_scores(router).row(0), cluster=np.array([cluster]))
    view = read_prompt("qwx zrt")
    return router.priced(view, router.bundle.scorer.faded(raw, np.zeros(1)))


def test_far_prompts_have_the_means_of_the_nearest_kind_and_wider_intervals(
    router: Router, plain: Router
) -> None:
    coding, other = (region.clusters[0] for region in router.manifest.regions)
    found = far(router, coding)
    rows = rows_of(router)
    own = rows.within(router.manifest.regions[0].clusters)
    assert found.quality[0] == pytest.approx(rows.quality[own].mean(axis=0), abs=1e-6)
    assert (found.quality[0] != far(router, other).quality[0]).any()
    assert (found.quality_se > far(plain, coding).quality_se).all()
    decision = router.decide(read_prompt("qwx zrt"), found, Policy(threshold=0.5))
    (reason,) = [r.detail for r in decision.reasons if r.code == "out_of_distribution"]
    assert "coding, the nearest kind" in reason
    assert decision.kind == "coding"


@given(shares=st.lists(SHARES, min_size=2, max_size=6), place=st.integers(0, 1))
def test_far_near_ties_go_to_the_cheap_arm_and_spend_rises_with_the_threshold(
    router: Router, shares: list[float], place: int
) -> None:
    scores = far(router, router.manifest.regions[place].clusters[0])
    everything = np.ones(scores.quality.shape, dtype=np.bool_)
    quality, cost, spent = scores.quality[0], scores.cost_usd[0], []
    for threshold in sorted(shares):
        arm = int(router.rule(Policy(threshold=threshold)).choose(scores, everything)[0])
        paid = cost <= (cost.min() + threshold * (cost.max() - cost.min())) * (1 + 1e-9)
        band = FAR_TIE * np.median(scores.quality_se[0])
        near = paid & (quality >= quality[paid].max() - band)
        assert cost[arm] == cost[near].min()
        best = choose_share(
            scores.quality, scores.cost_usd, eligible=everything, threshold=threshold
        )
        assert cost[arm] <= cost[best[0]]
        spent.append(cost[arm])
    assert spent == sorted(spent)


@given(threshold=SHARES, weights=st.lists(st.floats(KNOWN, 1.0), min_size=2, max_size=5))
def test_ties_grow_wider_as_knowledge_fades(
    router: Router, threshold: float, weights: list[float]
) -> None:
    wide = replace(router.manifest, decision=replace(router.manifest.decision, far_tie=3.0))
    rule = Policy(threshold=threshold).resolve(wide)
    rows = kept_scores(router)
    everything, spent = np.ones(rows.quality.shape, dtype=np.bool_), []
    for weight in sorted(weights):
        scores = replace(rows, in_distribution=np.full(len(everything), weight))
        arm = rule.choose(scores, everything)
        spent.append(rows.cost_usd[np.arange(len(arm)), arm])
        band = rule.band(scores, everything)
        assert band == pytest.approx(
            3.0 * (1.0 - weight) / (1.0 - KNOWN) * np.median(rows.quality_se, axis=1), abs=1e-6
        )
    assert (np.diff(spent, axis=0) >= 0).all()


def test_promises_of_all_are_those_of_the_kinds_together(router: Router) -> None:
    whole, kinds = promises(router.manifest), promises_by_kind(router.manifest)
    assert set(kinds) == {"coding", None}
    rows = {region.kind: region.rows for region in router.manifest.regions}
    for threshold in (0.0, 0.25, 0.5, 1.0):
        parts = [(rows[kind], found.at(threshold)) for kind, found in kinds.items()]
        mean = np.average([p for _, p in parts], axis=0, weights=[w for w, _ in parts])
        assert whole.at(threshold) == pytest.approx(tuple(mean), rel=1e-4)


def test_manifests_with_regions_are_read_back(router: Router, tmp_path: Path) -> None:
    manifest: Manifest = router.manifest
    (tmp_path / "manifest.json").write_text(manifest.to_json(), "utf-8")
    found = read_manifest(tmp_path)
    assert found.regions == manifest.regions
    torn = replace(manifest, regions=(manifest.regions[1], manifest.regions[1]))
    (tmp_path / "manifest.json").write_text(torn.to_json(), "utf-8")
    with pytest.raises(Exception, match="every cluster once"):
        read_manifest(tmp_path)


def test_arms_that_nobody_compared_in_a_region_tie_within_an_error(router: Router) -> None:
    manifest, rows = router.manifest, rows_of(router)
    wide = tuple(replace(region, tie_band=8.0) for region in manifest.regions)
    table, regions = rows.region_maps(wide, manifest.arms)
    made = replace(manifest, regions=regions, threshold_map=table)
    tied = with_manifest(router, made)
    best, cheap = Policy(threshold=1.0), 0
    for text in GOLDEN_PROMPTS:
        view = read_prompt(text)
        sure, unsure = (
            r.decide(view, r.score(view), best).predicted.cost_usd for r in (router, tied)
        )
        assert unsure <= sure
        cheap += unsure < sure
    assert cheap


def test_compacted_rows_make_nearly_the_same_map(router: Router, tmp_path: Path) -> None:
    rows, path = rows_of(router), tmp_path / "map_rows.onnx"
    path.write_bytes(constants(compacted(rows)))
    read = read_map_rows(path)
    assert path.stat().st_size < 0.6 * len(constants(arrays_of(rows)))
    assert np.allclose(read.output_tokens, rows.output_tokens, rtol=0.01)
    assert np.isnan(read.realised).all()
    arms, regions = router.manifest.arms, router.manifest.regions
    unlabelled = replace(rows, realised=np.full_like(rows.realised, np.nan))
    made, again = (some.region_maps(regions, arms)[0] for some in (unlabelled, read))
    for share in (0.3, 0.5, 0.7):
        costs = [np.interp(share, table.threshold, table.cost_usd) for table in (made, again)]
        assert costs[0] == pytest.approx(costs[1], rel=0.02)

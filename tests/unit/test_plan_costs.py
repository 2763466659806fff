"""The plan's columns are the sums of the file: what is cached, what isn't, and what nobody knows yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import pytest

from overnight_models.ledger.money.history import Answers
from overnight_models.money.forecast import Caching, Lifetime
from overnight_models.money.prices import load
from overnight_workers.plan.answers import Asked, Measured, Past, learned, tokens_out
from overnight_workers.plan.costs import Costs, Sharing, costs
from overnight_workers.plan.figure import Figure, How, around, exactly
from overnight_workers.plan.prefixes import Shared
from overnight_workers.plan.sampling import Stratum
from overnight_workers.plan.sharing import (
    DOCUMENTED,
    PRIMING,
    Hits,
    Segment,
    learned_hits,
    marked,
    segments,
    unshared_marks,
)
from overnight_workers.plan.sums import ModelTokens, Of, Row
from overnight_workers.plan.survey import Kind, Marks, OfKind
from overnight_workers.roads.lengths import ANSWER_SHARE

PRICES = load()
SONNET: Of = ("claude-sonnet-4-5", None)
NANO = 1_000_000_000


def tokens_of(items: int, tokens: Figure, of: Of = SONNET, answered: Fraction = Fraction(1)) -> ModelTokens:
    model = PRICES.model(of[0])
    assert model is not None
    row = Row(model.rates, answered, Fraction(1))
    return ModelTokens(*of, tokens, tokens.times(Fraction(model.rates.input)), (row,), items)


def shared(items: int, tokens: int, *, parent: int | None = None, mark: Lifetime | None = None) -> Shared:
    return Shared(*SONNET, items, 1, tokens * 4, media=False, offset=0, parent=parent, mark=mark)


def summed(
    model: ModelTokens,
    prefixes: Sequence[Shared] = (),
    *,
    out: Figure | None = None,
    hits: Hits = DOCUMENTED,
    unshared: Mapping[Of, int] | None = None,
    lane_caches: bool = False,
) -> Costs:
    lengths = [prefix.size // 4 for prefix in prefixes]
    means = {SONNET: Fraction(model.tokens.value, model.items)}
    sharing = Sharing(
        segments(prefixes, lengths, means, PRICES), marked(prefixes, lengths, means, PRICES), unshared or {}, hits
    )
    return costs([model], {SONNET: out or exactly(0)}, {SONNET: 0}, sharing, PRICES, lane_caches=lane_caches)


def cents(figure: Figure) -> str:
    whole, rest = divmod(round(Fraction(figure.value, NANO // 100)), 100)
    return f"${whole}.{rest:02d}"


CONTRACTS = tokens_of(1_000, exactly(20_000_000))


def test_the_contracts_of_the_article() -> None:
    shares = summed(CONTRACTS, [shared(1_000, 20_000)])
    assert (cents(shares.realtime.total), cents(shares.batched.total)) == ("$60.00", "$30.00")
    by_way = {(way.caching.lifetime, way.caching.primed, way.caching.hit_rate): cents(way.total) for way in shares.ways}
    assert by_way == {
        ("1h", False, Fraction(30, 100)): "$42.90",
        ("1h", False, Fraction(60, 100)): "$25.80",
        ("1h", False, Fraction(98, 100)): "$4.14",
        ("1h", True, Fraction(1)): "$3.06",
        ("5m", False, Fraction(30, 100)): "$27.15",
        ("5m", False, Fraction(60, 100)): "$16.80",
        ("5m", False, Fraction(98, 100)): "$3.69",
        ("5m", True, Fraction(1)): "$3.03",
    }
    assert shares.cached is not None
    # nobody knows the share of hits: 98% to 30% of 5-minute writes
    assert cents(shares.cached.total) == "$16.80"
    assert [cents(exactly(bound)) for bound in (shares.cached.total.low, shares.cached.total.high)] == [
        "$3.69",
        "$27.15",
    ]
    assert shares.cached.total.how is How.ASSUMED
    assert shares.expected is shares.batched
    assert shares.shared_items == 1_000


def test_what_the_lane_caches_is_expected_of_the_bill() -> None:
    shares = summed(CONTRACTS, [shared(1_000, 20_000)], lane_caches=True)
    assert shares.expected is shares.cached
    assert shares.is_cached
    marked_ = summed(CONTRACTS, [shared(1_000, 20_000, mark="1h")], lane_caches=True)
    assert marked_.expected is marked_.as_marked
    assert not marked_.is_cached
    alone = summed(CONTRACTS, lane_caches=True)
    assert alone.expected is alone.batched


def test_a_lane_that_primes_expects_what_it_writes_for_an_hour() -> None:
    shares = summed(CONTRACTS, [shared(1_000, 20_000)], hits=PRIMING, lane_caches=True)
    # 13% write at $6, 87% read at $0.30, halved
    assert cents(shares.expected.total) == "$10.41"
    assert "1h" in shares.why_cached


def test_a_learned_share_of_hits_decides() -> None:
    rare = Hits(Fraction(1, 10), Fraction(5, 100), Fraction(15, 100), How.LEARNED)
    shares = summed(CONTRACTS, [shared(1_000, 20_000)], hits=rare)
    assert shares.cached is None
    assert "10% of hits are too few" in shares.why_cached
    often = replace(rare, value=Fraction(98, 100), low=Fraction(90, 100), high=Fraction(1))
    shares = summed(CONTRACTS, [shared(1_000, 20_000)], hits=often)
    assert shares.cached is not None
    assert (cents(shares.cached.total), shares.cached.total.how) == ("$3.69", How.LEARNED)


def test_nested_beginnings_are_not_saved_twice() -> None:
    whole, contract = shared(1_000, 5_000), shared(1_000, 20_000, parent=0)
    alone, nested = summed(CONTRACTS, [shared(1_000, 20_000)]), summed(CONTRACTS, [whole, contract])
    assert alone.cached is not None
    assert nested.cached is not None
    assert nested.cached.total.value == alone.cached.total.value
    assert nested.shared_items == 1_000


def test_the_files_own_marks_are_in_what_is_expected() -> None:
    shares = summed(CONTRACTS, [shared(1_000, 20_000, mark="1h")])
    assert shares.as_marked is not None
    assert shares.expected is shares.as_marked
    assert cents(shares.as_marked.total) == "$25.80"
    assert cents(exactly(shares.as_marked.total.high)) == "$42.90"
    # a mark after an unmarked beginning caches that too
    deeper = [shared(1_000, 5_000), shared(1_000, 20_000, parent=0, mark="1h")]
    assert summed(CONTRACTS, deeper).expected.total.value == shares.as_marked.total.value


def test_marks_that_nobody_shares_cost_a_write_each() -> None:
    shares = summed(CONTRACTS, unshared={SONNET: 20_000_000})
    # 20 million tokens at $3.75 instead of $3, halved
    assert cents(shares.expected.total) == "$37.50"
    marks = {SONNET: Marks(1_000, 80_000_000)}
    assert unshared_marks(marks, [], 0.25, PRICES) == {SONNET: 20_000_000}
    # shared ones are no such marks, nor are ones that are too short to be cached
    means = {SONNET: Fraction(20_000)}
    cached = marked([shared(1_000, 20_000, mark="5m")], [20_000], means, PRICES)
    assert unshared_marks(marks, cached, 0.25, PRICES) == {}
    assert unshared_marks({SONNET: Marks(1_000, 40_000)}, [], 0.25, PRICES) == {}


def test_worst_and_ten_tokens_more() -> None:
    model = tokens_of(1_000, around(1_000_000, 50_000, How.SAMPLED))
    sharing = Sharing([], [], {}, DOCUMENTED)
    out = {SONNET: Figure(100_000, 50_000, 200_000, How.LEARNED)}
    columns = costs([model], out, {SONNET: 4_000_000}, sharing, PRICES, lane_caches=False)
    # in: 1.05 million at $3; out: 4 million at $15; halved
    assert columns.worst_nano == (1_050_000 * 3_000 + 4_000_000 * 15_000) // 2
    assert columns.worst_realtime_nano == 2 * columns.worst_nano
    assert (columns.ten_more_in_nano, columns.ten_more_out_nano) == (10_000 * 1_500, 10_000 * 7_500)
    assert (columns.batched.input.how, columns.batched.total.how) == (How.SAMPLED, How.LEARNED)
    assert columns.batched.total.low < columns.batched.total.value < columns.batched.total.high


def test_geography_is_in_every_column() -> None:
    us: Of = ("claude-sonnet-5", "us")
    model = tokens_of(10, exactly(1_000_000), us)
    columns = costs(
        [model], {us: exactly(100_000)}, {us: 0}, Sharing([], [], {}, DOCUMENTED), PRICES, lane_caches=False
    )
    assert columns.realtime.total == exactly((1_000_000 * 2_000 + 100_000 * 10_000) * 11 // 10)


def test_answers_that_are_refused_are_not_priced() -> None:
    model = tokens_of(10, exactly(900_000), answered=Fraction(9, 10))
    columns = costs(
        [model], {SONNET: exactly(90)}, {SONNET: 0}, Sharing([], [], {}, DOCUMENTED), PRICES, lane_caches=False
    )
    assert columns.realtime.output == exactly(90 * 15_000)


# --- how long answers are ---------------------------------------------------------------------------------------------


def batch(answers: int, mean: int, *, spread: int = 20, batch_id: int = 1) -> Answers:
    squares = answers * (mean * mean + spread * spread)
    return Answers(batch_id, SONNET[0], answers, answers * 100, answers * mean, squares, 0, 0, 0, 0, scale=PLAIN.scale)


PLAIN = Kind(None, (600).bit_length())
ASKED = Asked(1_000, 600_000, Stratum(1_000, 400_000), {PLAIN: OfKind(1_000, 600_000)})


def test_answers_are_learned_from_the_lanes_own() -> None:
    answers = tokens_out({SONNET: ASKED}, Past({SONNET[0]: [batch(500, 200)]}), {}, ANSWER_SHARE)
    assert (answers.total.value, answers.total.how) == (200_000, How.LEARNED)
    # chance, and the three percent by which one night's answers usually differ from another's
    off = 2.04 * 1_000 * (20**2 * (1 / 500 + 1 / 1_000) + 2 * (200 * 0.03) ** 2) ** 0.5
    assert answers.total.high - 200_000 == pytest.approx(off, rel=0.01)
    assert answers.basis[SONNET] == "learned from 500 answers in 1 batch of this lane"
    assert answers.worst == 600_000


def test_batches_that_differ_make_the_next_less_sure() -> None:
    alike = learned(1_000, [batch(500, 200), batch(500, 201), batch(500, 199)])
    apart = learned(1_000, [batch(500, 150), batch(500, 200), batch(500, 250)])
    assert alike.value == apart.value == 200_000
    assert apart.high - apart.low > 10 * (alike.high - alike.low)


def test_answers_are_measured_by_a_pilot() -> None:
    pilot = Measured([400] * 50, [180, 220] * 25)
    answers = tokens_out({SONNET: ASKED}, Past({SONNET[0]: [batch(500, 900)]}), {SONNET: pilot}, ANSWER_SHARE)
    assert (answers.total.value, answers.total.how) == (200_000, How.MEASURED)
    assert answers.total.low == pytest.approx(200_000 - 2.01 * 1_000 * 20.2 / 50**0.5 * 0.975, rel=0.001)
    assert answers.basis[SONNET] == "measured by a pilot of 50 items"


def test_answers_are_assumed_where_nothing_is_known() -> None:
    answers = tokens_out({SONNET: ASKED}, Past({SONNET[0]: [batch(19, 200)]}), {}, ANSWER_SHARE)
    assert answers.total == Figure(150_000, 1_000, 600_000, How.ASSUMED)
    assert "25% of max_tokens" in answers.basis[SONNET]


def test_answers_of_another_kind_teach_no_interval() -> None:
    other = replace(batch(500, 400), schema=b"another")
    of_catalog = replace(batch(500, 400), of_catalog=True)
    shorter = replace(batch(500, 400), scale=PLAIN.scale - 1)
    for past in (other, of_catalog, shorter):
        answers = tokens_out({SONNET: ASKED}, Past({SONNET[0]: [past]}), {}, ANSWER_SHARE)
        assert answers.total == Figure(400_000, 1_000, 600_000, How.ASSUMED)
        assert "not known yet" in answers.basis[SONNET]
        both = tokens_out({SONNET: ASKED}, Past({SONNET[0]: [past, batch(500, 200)]}), {}, ANSWER_SHARE)
        assert (both.total.value, both.total.how) == (200_000, How.LEARNED)


def test_each_kind_of_a_file_is_learned_by_itself() -> None:
    described = Kind(b"schema", PLAIN.scale)
    asked = replace(ASKED, kinds={PLAIN: OfKind(400, 240_000), described: OfKind(600, 360_000)})
    past = [batch(500, 100), replace(batch(500, 300), schema=b"schema")]
    answers = tokens_out({SONNET: asked}, Past({SONNET[0]: past}), {}, ANSWER_SHARE)
    assert (answers.total.value, answers.total.how) == (400 * 100 + 600 * 300, How.LEARNED)
    assert answers.basis[SONNET].startswith("600 items: learned from 500 answers with this schema in 1 batch")


def test_answers_to_exactly_what_is_asked_are_believed_and_no_others() -> None:
    lane = {SONNET[0]: [batch(500, 400)]}
    known = tokens_out({SONNET: ASKED}, Past(lane, {SONNET[0]: [batch(12, 200)]}), {}, ANSWER_SHARE)
    assert (known.total.value, known.total.how) == (200_000, How.LEARNED)
    # Student's t of so few, and not the normal quantile
    off = 2.05 * 1_000 * (20**2 * (1 / 12 + 1 / 1_000) + 2 * (200 * 0.03) ** 2) ** 0.5
    assert known.total.high - 200_000 == pytest.approx(off, rel=0.05)
    unknown = tokens_out({SONNET: ASKED}, Past(lane, {}), {}, ANSWER_SHARE)
    assert unknown.total == Figure(400_000, 1_000, 600_000, How.ASSUMED)


def test_no_answer_is_longer_than_max_tokens() -> None:
    short = replace(ASKED, max_tokens=50_000, kinds={PLAIN: OfKind(1_000, 50_000)})
    answers = tokens_out({SONNET: short}, Past({SONNET[0]: [batch(500, 200)]}), {}, ANSWER_SHARE)
    assert (answers.total.value, answers.total.high) == (50_000, 50_000)


def test_a_share_of_hits_is_learned_from_enough_tokens() -> None:
    cached = replace(batch(10, 10), cache_read_tokens=90_000, cache_write_1h_tokens=30_000)
    hits = learned_hits([cached])
    assert hits is not None
    assert (hits.value, hits.how) == (Fraction(3, 4), How.LEARNED)
    assert learned_hits([replace(cached, cache_read_tokens=10)]) is None


def test_what_a_segment_saves_is_what_the_sum_says() -> None:
    (segment,) = segments([shared(1_000, 20_000)], [20_000], {SONNET: Fraction(20_000)}, PRICES)
    assert isinstance(segment, Segment)
    assert segment.saved(Caching("1h", Fraction(98, 100))) == Fraction(30 * NANO) - Fraction(414, 100) * NANO

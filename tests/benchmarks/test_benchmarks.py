"""Benchmarks run and come out with figures; how fast is for `make bench` to say."""

import math
import random

import pytest

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.measure import Bar, Contender, Plan, Sample, Verdict, measure
from benchmarks.report import as_json
from benchmarks.setting import Setting


@pytest.mark.parametrize("name", BENCHMARKS)
def test_every_benchmark_runs_and_its_ratios_are_numbers(
    name, elasticsearch_url, postgresql_url, mongodb_url
):
    setting = Setting(
        elasticsearch_url, postgresql_url, mongodb_url, scale=0.001, seed=3
    )
    result = BENCHMARKS[name](setting)
    assert result.samples[result.baseline]
    for samples in result.samples.values():
        assert len(samples) == 2
        assert all(sample.p50 > 0 for sample in samples)
    for judgement in result.judgements:
        assert all(math.isfinite(ratio) and ratio > 0 for ratio in judgement.ratios)
    assert all(true for _, true in result.facts)
    assert as_json(result)["contenders"].keys() == result.samples.keys()


def test_contenders_take_turns_and_get_the_same_input():
    turns = []
    contenders = [
        Contender(name, lambda number, name=name: turns.append((name, number)))
        for name in "ab"
    ]
    plan = Plan(repetitions=2, operations=2, blocks=20, warm_up=0)
    measure(contenders, plan, random.Random(0))
    assert len(turns) == 2 * 2 * 20 * 2
    for name in "ab":
        numbers = [number for one, number in turns if one == name]
        assert numbers == [*range(40), *range(40)]
    names = "".join(name for name, _ in turns)
    assert names not in ("".join(sorted(names)), "".join(sorted(names, reverse=True)))


def samples_of(**times):
    return {
        name: [Sample([time]) for time in repetitions]
        for name, repetitions in times.items()
    }


@pytest.mark.parametrize(
    ("ours", "limit", "verdict"),
    [
        ([1.2, 1.2, 1.2], 1.25, Verdict.HOLDS),
        ([1.3, 1.3, 1.3], 1.25, Verdict.MISSED),
        # The median is over the bar by less than the scatter explains.
        ([1.1, 1.27, 1.5], 1.25, Verdict.UNDECIDED),
        # Scatter excuses no more than a tenth of the bar.
        ([1.0, 1.5, 2.0], 1.25, Verdict.MISSED),
    ],
)
def test_a_bar_is_judged_by_the_median_of_the_ratios(ours, limit, verdict):
    bar = Bar("ours", "base", limit)
    judgement = bar.judge(samples_of(ours=ours, base=[1.0] * len(ours)))
    assert judgement.verdict is verdict


def test_ratios_are_made_inside_each_repetition():
    bar = Bar("ours", "base", 1.25)
    # The machine was three times slower in the second repetition.
    judgement = bar.judge(samples_of(ours=[1.2, 3.6, 1.2], base=[1.0, 3.0, 1.0]))
    assert judgement.ratios == pytest.approx([1.2, 1.2, 1.2])


def test_a_bar_may_be_a_lowest_or_an_absolute_figure():
    at_least = Bar("ours", "base", 0.85, figure=lambda s: 1 / s.p50, at_least=True)
    fast, slow = samples_of(ours=[1.1], base=[1]), samples_of(ours=[1.5], base=[1])
    assert at_least.judge(fast).verdict is Verdict.HOLDS
    assert at_least.judge(slow).verdict is Verdict.MISSED
    absolute = Bar("ours", None, 0.5)
    assert absolute.judge(samples_of(ours=[0.4])).verdict is Verdict.HOLDS
    assert absolute.judge(samples_of(ours=[0.6])).verdict is Verdict.MISSED


def test_an_unknown_benchmark_is_refused_before_servers_are_started(capsys):
    with pytest.raises(SystemExit) as refused:
        main(["speed"])
    assert refused.value.code == 2
    assert "sync" in capsys.readouterr().err

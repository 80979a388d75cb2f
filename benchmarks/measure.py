"""How contenders take turns, and how bars are judged.

Two cores that client, database and search server share are noisy: one and the same
block takes 20 to 30 % more or less time a minute later. So contenders take turns in
small blocks, in an order that is shuffled inside each repetition; ratios are made of
the figures of one repetition; and a bar is judged by the median of these ratios.
"""

from __future__ import annotations

import gc
import math
import random
import resource
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from statistics import median
from time import perf_counter


def _nothing() -> None:
    """Is done before and after a block, unless there is something to do."""


@dataclass(frozen=True)
class Contender:
    """One way to do the work.

    :attr operation: is called with the number of the operation, counted from 0 in each
        repetition, so that all contenders get the same input.
    :attr before: is called before each block, outside of the measured time.
    :attr after: is called after each block, outside of the measured time.
    """

    name: str
    operation: Callable[[int], object]
    before: Callable[[], object] = _nothing
    after: Callable[[], object] = _nothing


@dataclass(frozen=True)
class Plan:
    """How much is measured.

    :attr operations: of one block.
    :attr blocks: of one contender in one repetition.
    :attr warm_up: operations of each contender that are not counted.
    """

    repetitions: int
    operations: int = 1
    blocks: int = 1
    warm_up: int = 1


@dataclass
class Sample:
    """One contender in one repetition.

    :attr times: seconds of each operation.
    :attr cpu_seconds: CPU of this process, all threads, and of processes that it has
        waited for, in all blocks.
    """

    times: list[float] = field(default_factory=list)
    cpu_seconds: float = 0.0

    @cached_property
    def p50(self) -> float:
        """Median time of an operation, in seconds."""
        return median(self.times)

    @cached_property
    def cpu(self) -> float:
        """CPU of the client for one operation, in seconds."""
        return self.cpu_seconds / len(self.times)


Samples = dict[str, list[Sample]]


def measure(contenders: Sequence[Contender], plan: Plan, rng: random.Random) -> Samples:
    """Let the contenders take turns: a sample of each for each repetition."""
    for contender in contenders:
        _run_block(contender, range(plan.warm_up), Sample())
    samples: Samples = {contender.name: [] for contender in contenders}
    # What the process already holds is of no interest to the collector: looking
    # through it would slow down whoever allocates most.
    gc.collect()
    gc.freeze()
    try:
        for _ in range(plan.repetitions):
            for name, sample in _repetition(contenders, plan, rng).items():
                samples[name].append(sample)
    finally:
        gc.unfreeze()
    return samples


def _repetition(
    contenders: Sequence[Contender], plan: Plan, rng: random.Random
) -> dict[str, Sample]:
    samples = {contender.name: Sample() for contender in contenders}
    turns = list(contenders) * plan.blocks
    rng.shuffle(turns)
    for contender in turns:
        sample = samples[contender.name]
        first = len(sample.times)
        _run_block(contender, range(first, first + plan.operations), sample)
    return samples


def _run_block(contender: Contender, numbers: Sequence[int], sample: Sample) -> None:
    operation, times = contender.operation, sample.times
    contender.before()
    cpu_before = _cpu_seconds()
    for number in numbers:
        begun = perf_counter()
        operation(number)
        times.append(perf_counter() - begun)
    sample.cpu_seconds += _cpu_seconds() - cpu_before
    contender.after()


def _cpu_seconds() -> float:
    used = [
        resource.getrusage(who)
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    ]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


# --- bars ------------------------------------------------------------------------


class Verdict(StrEnum):
    """What a run says of a bar."""

    HOLDS = "holds"
    #: The median is on the wrong side of the bar, by less than the margin.
    UNDECIDED = "within noise"
    MISSED = "does not hold"


def p50(sample: Sample) -> float:
    """Median seconds of an operation."""
    return sample.p50


def cpu(sample: Sample) -> float:
    """CPU seconds of the client for an operation."""
    return sample.cpu


def rate(sample: Sample) -> float:
    """Operations a second."""
    return 1 / sample.p50


@dataclass(frozen=True)
class Bar:
    """What is promised of a contender.

    :attr against: name of the contender to compare with; ``None`` if the figure itself
        is promised.
    :attr figure: what of a sample is compared.
    :attr at_least: whether the limit is the lowest that is allowed, not the highest.
    """

    contender: str
    against: str | None
    limit: float
    what: str = "p50"
    figure: Callable[[Sample], float] = p50
    at_least: bool = False

    def judge(self, samples: Samples) -> Judgement:
        """Compare, repetition by repetition."""
        own = [self.figure(sample) for sample in samples[self.contender]]
        if self.against is None:
            return Judgement(self, own)
        others = [self.figure(sample) for sample in samples[self.against]]
        return Judgement(self, [a / b for a, b in zip(own, others, strict=True)])


#: Noise excuses no more than this share of a limit.
MOST_MARGIN = 0.10


@dataclass(frozen=True)
class Judgement:
    """A bar, and the ratio (or figure) of each repetition."""

    bar: Bar
    ratios: list[float]

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return median(self.ratios)

    @property
    def margin(self) -> float:
        """Twice the standard error of the median ratio, but at most a tenth of the bar.

        The spread is estimated by the median absolute deviation, which one disturbed
        repetition does not move: sigma = 1.4826 MAD, and the standard error of a median
        is 1.2533 sigma / sqrt(n).
        """
        middle = self.ratio
        deviation = median(abs(ratio - middle) for ratio in self.ratios)
        error = 1.2533 * 1.4826 * deviation / math.sqrt(len(self.ratios))
        return min(2 * error, MOST_MARGIN * self.bar.limit)

    @property
    def verdict(self) -> Verdict:
        """Whether the bar holds."""
        excess = self.ratio - self.bar.limit
        if self.bar.at_least:
            excess = -excess
        if excess <= 0:
            return Verdict.HOLDS
        return Verdict.UNDECIDED if excess <= self.margin else Verdict.MISSED


@dataclass(frozen=True)
class Result:
    """What a benchmark found.

    :attr units: how many things one operation does, where a rate is more telling.
    :attr baseline: the contender that every other is shown as a ratio of.
    :attr facts: what is true or not, whatever the machine: a sentence, and whether.
    """

    title: str
    samples: Samples
    baseline: str
    bars: Sequence[Bar] = ()
    units: int = 1
    unit: str = "operation"
    facts: Sequence[tuple[str, bool]] = ()

    @cached_property
    def judgements(self) -> list[Judgement]:
        """Every bar, judged."""
        return [bar.judge(self.samples) for bar in self.bars]

    @property
    def passed(self) -> bool:
        """Whether no bar is missed, and every fact is true."""
        return all(true for _, true in self.facts) and not any(
            judgement.verdict is Verdict.MISSED for judgement in self.judgements
        )

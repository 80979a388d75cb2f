"""Results as tables to read, and as JSON to keep."""

from __future__ import annotations

from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Judgement, Result, Sample, Verdict

_COLOURS = {
    Verdict.HOLDS: "green",
    Verdict.UNDECIDED: "yellow",
    Verdict.MISSED: "red",
}


def show(console: Console, result: Result) -> None:
    """Print the contenders, the bars and the facts of a result."""
    console.print(_contenders(result))
    if result.judgements:
        console.print(_bars(result))
    for sentence, true in result.facts:
        verdict = Verdict.HOLDS if true else Verdict.MISSED
        console.print(f"{sentence}: [{_COLOURS[verdict]}]{verdict}[/]")
    console.print()


def _contenders(result: Result) -> Table:
    table = Table(title=result.title, title_justify="left")
    table.add_column("contender")
    for name in ("ms min", "median", "max", "p95", "client CPU ms"):
        table.add_column(name, justify="right")
    if result.units > 1:
        table.add_column(f"{result.unit}/s", justify="right")
    table.add_column("ratio (spread)", justify="right")
    base = [sample.p50 for sample in result.samples[result.baseline]]
    for name, samples in result.samples.items():
        table.add_row(name, *_cells(result, samples), _ratio(samples, base))
    return table


def _cells(result: Result, samples: list[Sample]) -> list[str]:
    middles = [sample.p50 for sample in samples]
    cells = [_ms(min(middles)), _ms(median(middles)), _ms(max(middles)), _p95(samples)]
    cells.append(_ms(median(sample.cpu for sample in samples)))
    if result.units > 1:
        cells.append(f"{result.units / median(middles):,.0f}")
    return cells


def _ratio(samples: list[Sample], base: list[float]) -> str:
    ratios = [a.p50 / b for a, b in zip(samples, base, strict=True)]
    return _spread(median(ratios), ratios)


def _bars(result: Result) -> Table:
    table = Table(show_edge=False)
    for name in ("bar", "against", "what"):
        table.add_column(name)
    for name in ("ratio (spread)", "margin", "limit", ""):
        table.add_column(name, justify="right")
    for judgement in result.judgements:
        table.add_row(*_judgement(judgement))
    return table


def _judgement(judgement: Judgement) -> list[str]:
    bar, verdict = judgement.bar, judgement.verdict
    return [
        bar.contender,
        bar.against or "-",
        bar.what,
        _spread(judgement.ratio, judgement.ratios),
        f"{judgement.margin:.3f}",
        f"{'>=' if bar.at_least else '<='} {bar.limit:g}",
        f"[{_COLOURS[verdict]}]{verdict}[/]",
    ]


def _spread(middle: float, values: list[float]) -> str:
    return f"{middle:.2f} ({min(values):.2f} - {max(values):.2f})"


def _ms(seconds: float) -> str:
    milliseconds = seconds * 1000
    return f"{milliseconds:.3f}" if milliseconds < 100 else f"{milliseconds:.0f}"


def _p95(samples: list[Sample]) -> str:
    times = sorted(time for sample in samples for time in sample.times)
    return _ms(times[int(len(times) * 0.95)]) if len(times) >= 100 else "-"


def as_json(result: Result) -> dict[str, Any]:
    """All figures of a result; times in seconds."""
    return {
        "title": result.title,
        "contenders": {
            name: {
                "p50_seconds": [sample.p50 for sample in samples],
                "cpu_seconds": [sample.cpu for sample in samples],
            }
            for name, samples in result.samples.items()
        },
        "bars": [
            {
                "contender": judgement.bar.contender,
                "against": judgement.bar.against,
                "what": judgement.bar.what,
                "limit": judgement.bar.limit,
                "at_least": judgement.bar.at_least,
                "ratio": judgement.ratio,
                "ratios": judgement.ratios,
                "margin": judgement.margin,
                "verdict": str(judgement.verdict),
            }
            for judgement in result.judgements
        ],
        "facts": dict(result.facts),
    }

"""Speed, measured against what one would write by hand: ``python -m benchmarks``.

One file for each benchmark; :mod:`benchmarks.measure` says how they are measured and
judged, :mod:`benchmarks.setting` what they run on. docs/benchmarks.rst has results.
"""

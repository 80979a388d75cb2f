"""Random programs do the same with us as without us, and the index equals the rows.

``DIFFERENTIAL_EXAMPLES=10000`` runs so many, ``DIFFERENTIAL_FAMILIES="books tags"``
programs on these families alone, ``DIFFERENTIAL_CAPTURE=triggers`` with this capture
alone; otherwise triggers play half as many.
A program that fails is printed, with a blob for ``@reproduce_failure``.
"""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings

from tests.differential.programs import programs
from tests.differential.runner import Runner

EXAMPLES = int(os.environ.get("DIFFERENTIAL_EXAMPLES", "100"))
FAMILIES = tuple(os.environ.get("DIFFERENTIAL_FAMILIES", "").split())
CHOSEN = os.environ.get("DIFFERENTIAL_CAPTURE")
CAPTURE = CHOSEN or "session"
CAPTURES = [CHOSEN] if CHOSEN else ["session", "triggers"]


@pytest.fixture(params=CAPTURES)
def runner(request, databases, plain):
    runner = Runner(databases, plain, request.param)
    yield runner
    print(dict(runner.counts))  # noqa: T201


@pytest.mark.timeout(0)
def test_random_programs_do_the_same_and_the_index_equals_the_rows(kind, runner):
    @settings(
        max_examples=EXAMPLES if runner.capture == CAPTURE else max(1, EXAMPLES // 2),
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
        # To explain takes longer than to look at a small program.
        phases=set(Phase) - {Phase.explain},
    )
    @given(programs(kind, FAMILIES))
    def same(program):
        found = runner.differences(program)
        note(f"{program}\n" + "\n".join(found))
        assert not found

    same()

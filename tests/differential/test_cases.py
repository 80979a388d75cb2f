"""The shortest programs of each kind that once failed."""

import pytest

from tests.differential.cases import CASES
from tests.differential.operations.statements import InCTE
from tests.differential.runner import Runner
from tests.differential.test_programs import CAPTURE


@pytest.mark.parametrize("case", CASES)
def test_does_the_same_with_us(kind, databases, plain, case):
    program = CASES[case]
    if kind == "sqlite" and isinstance(program.operations[0], InCTE):
        pytest.skip("SQLite changes no rows in a CTE.")
    found = Runner(databases, plain, CAPTURE).differences(program)
    assert not found, "\n".join([str(program), *found])

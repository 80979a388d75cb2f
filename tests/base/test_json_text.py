"""Numbers of JSON that nobody could read back are looked for, and no others."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nefertari_engine_base.exceptions import ConversionError
from nefertari_engine_base.json_text import check_readable, may_be_unreadable

DIGITS = st.text("0123456789", min_size=1, max_size=400).map(lambda d: f"1{d}")
EXPONENTS = st.builds(
    "{}{}{}".format, st.sampled_from("eE"), st.sampled_from(["", "+", "-"]), DIGITS
)
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    DIGITS,
    st.just("") | DIGITS.map(lambda d: f".{d}"),
    st.just("") | EXPONENTS,
)


@given(NUMBERS, st.text("aé\u2603 e", max_size=5))
@example("1" * 310, "")
@example("1e400", "")
@example("1E+309", "")
def test_every_number_that_cannot_be_read_back_is_found(number, key):
    text = f'{{"{key}": [1, {number}]}}'
    try:
        check_readable("Film", text)
    except ConversionError:
        assert may_be_unreadable(text.encode())


@pytest.mark.parametrize(
    "text",
    ['{"a": 1.5e10, "b": 123456789}', '{"e": "the 12e students"}', '"é"', "[-1e-400]"],
)
def test_what_can_be_read_back_is_not_looked_at_twice(text):
    check_readable("Film", text)
    assert not may_be_unreadable(text.encode())

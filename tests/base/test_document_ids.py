"""Ids hold keys without loss."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nefertari_engine_base import document_ids

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.text(
    "\\,a", max_size=6
)


@given(st.lists(ANY_TEXT, min_size=1, max_size=4))
def test_every_key_comes_back_from_its_id(parts):
    assert document_ids.split(document_ids.join(parts), len(parts)) == parts


@given(
    st.lists(ANY_TEXT, min_size=2, max_size=2),
    st.lists(ANY_TEXT, min_size=2, max_size=2),
)
def test_no_two_keys_share_an_id(one, other):
    assert (document_ids.join(one) == document_ids.join(other)) == (one == other)


@given(st.lists(ANY_TEXT, min_size=1, max_size=3))
def test_an_id_is_never_empty(parts):
    assert document_ids.join(parts)


@pytest.mark.parametrize("value", [0, 17, -3, "blade", "with space", "é/ü", "a,b"])
def test_the_id_of_a_simple_key_is_the_key_as_text(value):
    assert document_ids.join([value]) == str(value)


@pytest.mark.parametrize(
    ("text", "count"), [("", 1), ("a", 2), ("a,b,c", 2), ("a,b\\", 2)]
)
def test_an_id_with_other_parts_is_refused(text, count):
    with pytest.raises(ValueError, match=r"parts|never empty"):
        document_ids.split(text, count)

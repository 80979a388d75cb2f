"""What people type, as a query."""

import pytest

from examples.movies.presenting import marked
from examples.movies.words import query_string


@pytest.mark.parametrize(
    ("typed", "query"),
    [
        ("blade", "(blade OR blade*)"),
        ("blade runner", "blade AND (runner OR runner*)"),
        ('"blade runner"', '"blade runner"'),
        ('"blade runner', '"\\"blade" AND (runner OR runner*)'),
        ("star -trek", "star AND NOT (trek OR trek*)"),
        ("-trek", "*:* AND NOT (trek OR trek*)"),
        ("spider-man", '"spider-man"'),
        ("2001: space", '"2001:" AND (space OR space*)'),
        ("this OR that", "this AND or AND (that OR that*)"),
        ("title:alien", '"title:alien"'),
        ("a\\b", '"a\\\\b"'),
        ("* ? ~", '""'),
    ],
)
def test_what_people_type_is_words_and_phrases_never_syntax(typed, query):
    assert query_string(typed) == query


@pytest.mark.parametrize(
    ("text", "words", "html"),
    [
        ("Blade Runner", ["blade"], "<mark>Blade</mark> Runner"),
        ("Blade Runner", ["run"], "Blade <mark>Runner</mark>"),
        ("The Runner", ["un"], "The Runner"),
        ("Tom & <i>", ["tom"], "<mark>Tom</mark> &amp; &lt;i&gt;"),
        ("<b>", ["b"], "&lt;<mark>b</mark>&gt;"),
        ("Anything", [], "Anything"),
        (None, ["x"], ""),
    ],
)
def test_words_are_marked_and_everything_is_escaped(text, words, html):
    assert marked(text, words) == html

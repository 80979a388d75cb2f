"""Questions that may hang: asked one at a time, by whoever cannot wait."""

from __future__ import annotations

import threading

import pytest

from nefertari_engine_base.sync import probes
from nefertari_engine_base.sync.probes import Probe

#: Seconds that nothing here takes, unless it hangs.
FOREVER = 60


class Question:
    """Answers how often it was asked, once it may."""

    def __init__(self):
        self.asked = 0
        self.may_answer = threading.Event()

    def __call__(self):
        self.asked += 1
        number = self.asked
        assert self.may_answer.wait(FOREVER)
        return number


@pytest.fixture
def question():
    question = Question()
    yield question
    question.may_answer.set()


def test_who_asks_while_a_call_hangs_waits_for_the_same_call(question):
    probe = Probe("test", question)
    futures = [probe.begin() for _ in range(5)]
    with pytest.raises(TimeoutError):
        probe.ask(0.01)
    question.may_answer.set()
    assert [future.result(FOREVER) for future in futures] == [1] * 5
    assert probe.ask(FOREVER) == 2


def test_an_answer_is_given_again_while_it_is_young(question):
    question.may_answer.set()
    old, young = Probe("test", question), Probe("test", question, max_age=3600)
    assert [old.ask(FOREVER) for _ in range(3)] == [1, 2, 3]
    assert [young.ask(FOREVER) for _ in range(3)] == [4, 4, 4]


def test_a_failure_is_raised_and_not_given_again():
    outcomes = iter([OSError("gone"), "back"])

    def call():
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    probe = Probe("test", call, max_age=3600)
    with pytest.raises(OSError, match="gone"):
        probe.ask(FOREVER)
    assert probe.ask(FOREVER) == "back"


def test_a_call_that_hangs_for_too_long_is_made_again(question, monkeypatch):
    probe = Probe("test", question)
    hanging = probe.begin()
    monkeypatch.setattr(probes, "GIVEN_UP_AFTER", 0.0)
    question.may_answer.set()
    assert probe.begin() is not hanging
    assert hanging.result(FOREVER) in (1, 2)

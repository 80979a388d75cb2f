"""What travels together to PostgreSQL: entries and ``COMMIT``, a draw and a load.

In a pipeline of libpq the server executes what it is sent one after the other, and
answers at the end; after a failure it skips what is left, up to the next end, so there
is no ``COMMIT`` without the entries.
https://www.postgresql.org/docs/current/libpq-pipeline-mode.html

Parsing and planning an insert takes the server about as long as the round trip takes
that is saved, on a fast network; so it is prepared if that is worth it. Only psycopg
knows what is prepared on a connection: after a rollback, a ``DISCARD ALL`` and their
likes it starts anew. There is no public way to ask it, and where the private one leads
nowhere, the insert is sent as it is.
https://www.psycopg.org/psycopg3/docs/advanced/prepare.html

psycopg's own pipelines and cursors take as long for a statement as is saved. So its
connection to libpq is used, which is public:
https://www.psycopg.org/psycopg3/docs/api/pq.html
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from functools import partial
from itertools import count
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import Cursor, errors
from psycopg.pq import ExecStatus, PipelineStatus, TransactionStatus
from psycopg.waiting import Ready, Wait

from nefertari_engine_base.values import OutboxEntry, Touch

log = logging.getLogger(__name__)

#: Each is executed for itself; one statement of many rows costs less from there on.
MOST_ENTRIES = 4

#: The names of statements that are prepared, by psycopg's connections.
_NAMES: WeakKeyDictionary[Any, dict[bytes, bytes]] = WeakKeyDictionary()
_numbers = count(1)

_ASKED = "nefertari_asked"

#: How often statements were sent as they are, by psycopg's connections.
_UNPREPARED: WeakKeyDictionary[Any, Counter[bytes]] = WeakKeyDictionary()


def can_hold(driver: Any, touches: Sequence[Touch]) -> bool:
    """Whether the running transaction may be committed together with these entries.

    In AUTOCOMMIT none is running: a statement is committed when it is done.

    :param driver: psycopg's connection.
    """
    status = driver.pgconn.transaction_status
    return len(touches) <= MOST_ENTRIES and bool(status == TransactionStatus.INTRANS)


def is_ended(driver: Any) -> bool:
    """Whether no transaction is running, whatever SQLAlchemy takes for true."""
    return bool(driver.pgconn.transaction_status == TransactionStatus.IDLE)


def is_utf8(driver: Any) -> bool:
    """Whether texts are exchanged as UTF-8; psycopg converts those that are not."""
    return bool(driver.pgconn.parameter_status(b"client_encoding") == b"UTF8")


def commit_with(
    driver: Any, insert: bytes, touches: Sequence[Touch]
) -> list[OutboxEntry] | None:
    """Insert entries, and commit the connection's transaction.

    :param insert: inserts one of them, and returns its number.
    :return: ``None`` if a cursor has to insert them now, with :func:`cursor_options`.
    :raises psycopg.Error: for what the server or the connection refuses; nothing is
        committed then, unless the connection was lost on the way.
    """
    name = _prepared(driver, insert)
    options = cursor_options(driver, insert)
    if (name is None and options) or not _is_sendable(driver, touches):
        return None
    _note_sending(driver, insert, name)
    texts = [(touch.secondary, touch.model, touch.path, touch.key) for touch in touches]
    rows = [[text.encode() for text in row] for row in texts]
    pgconn = driver.pgconn
    send = (
        partial(pgconn.send_query_prepared, name)
        if name
        else partial(pgconn.send_query_params, insert)
    )
    inserts = [partial(send, row) for row in rows]
    commit = partial(pgconn.send_query_params, b"COMMIT", None)
    *inserted, _ = _exchange(driver, [*inserts, commit, pgconn.pipeline_sync])
    numbers = [int(result.get_value(0, 0)) for result in inserted]
    return list(map(OutboxEntry, numbers, touches))


def is_open(driver: Any) -> bool:
    """Whether a transaction is running that can be asked and committed by what is sent
    at once, and whose answer can be read."""
    pgconn = driver.pgconn
    return (
        pgconn.transaction_status == TransactionStatus.INTRANS
        and pgconn.pipeline_status == PipelineStatus.OFF
        and is_utf8(driver)
    )


def commit_telling(
    driver: Any, question: str, fewer: str
) -> list[tuple[str | None, ...]]:
    """Ask the connection's transaction something, and commit it.

    Both are sent at once. It is committed even if the question is refused.

    :param question: a query; see :func:`prepare_in_time`.
    :param fewer: what is asked if that is refused.
    :return: the rows of the answer, as texts.
    :raises psycopg.Error: if the commit is refused, or the connection is lost.
    """
    pgconn, asked = driver.pgconn, question.encode()
    name = _prepared(driver, asked)
    _note_sending(driver, asked, name)
    savepoint = f"SAVEPOINT {_ASKED}"
    if name is None:
        text = f"{savepoint}; {question}; COMMIT"
        results = _received(driver, _all_results(pgconn, text.encode()))
    else:
        sends = [
            partial(pgconn.send_query_params, savepoint.encode(), None),
            partial(pgconn.send_query_prepared, name, None),
            partial(pgconn.send_query_params, b"COMMIT", None),
            pgconn.pipeline_sync,
        ]
        results = _received(driver, _pipeline(pgconn, sends))
    if pgconn.transaction_status == TransactionStatus.INERROR:
        text = f"ROLLBACK TO {savepoint}; {fewer}; COMMIT"
        results = _received(driver, _all_results(pgconn, text.encode()))
    _raise_failure(results)
    (answer,) = (result for result in results if result.nfields)
    return _rows(answer)


def prepare_in_time(driver: Any, question: str) -> None:
    """Let psycopg prepare a query that :func:`commit_telling` was given as often as
    psycopg waits for by itself. No transaction is running.

    It is tried once on a connection, and harms nobody if it is refused.
    """
    asked = question.encode()
    options = cursor_options(driver, asked)
    if not options or not is_ended(driver) or _prepared(driver, asked) is not None:
        return
    _sent(driver)[asked] = -sys.maxsize
    try:
        # One of the application's may prepare nothing, or make something of the rows.
        Cursor(driver).execute(asked, **options)
        driver.commit()
    except errors.Error as error:
        log.debug("A question could not be prepared: %s", error)
        if not driver.closed:
            driver.rollback()


def _rows(result: Any) -> list[tuple[str | None, ...]]:
    return [
        tuple(
            None if value is None else value.decode()
            for value in (
                result.get_value(row, column) for column in range(result.nfields)
            )
        )
        for row in range(result.ntuples)
    ]


def _all_results(pgconn: Any, text: bytes) -> Generator[Wait, Ready, list[Any]]:
    """Send a text of several statements, and receive."""
    pgconn.send_query(text)
    yield from _flushed(pgconn)
    results: list[Any] = []
    while True:
        while pgconn.is_busy():
            if (yield Wait.R):
                pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            return results
        results.append(result)


def cursor_options(driver: Any, statement: bytes) -> dict[str, Any]:
    """How a cursor should execute a statement: so that psycopg prepares it, once it has
    been sent as often as psycopg does that by itself for what cursors execute."""
    threshold = driver.prepare_threshold
    if threshold is None or _sent(driver)[statement] < threshold:
        return {}
    return {"prepare": True}


def _sent(driver: Any) -> Counter[bytes]:
    return _UNPREPARED.setdefault(driver, Counter())


def _note_sending(driver: Any, statement: bytes, name: bytes | None) -> None:
    if name is None:
        _sent(driver)[statement] += 1
    else:
        _sent(driver).pop(statement, None)


def _is_sendable(driver: Any, touches: Sequence[Touch]) -> bool:
    """Whether entries can be sent, unless the connection is in the pipeline of others.

    What libpq cannot be given as it is, is for psycopg to convert or to refuse.
    """
    return is_open(driver) and not any("\0" in touch.key for touch in touches)


def fetch_each(
    driver: Any, statements: Sequence[tuple[bytes, Sequence[bytes]]]
) -> list[list[tuple[bytes, ...]]]:
    """The rows of statements that are sent together to a connection in AUTOCOMMIT.

    Each is a transaction of its own, with a snapshot of its own, that begins when the
    one before has ended.

    They are prepared, unless psycopg may prepare nothing, under names that psycopg does
    not know: the connection is used by nobody else.

    :param statements: with ``$1`` and so on, and the values of these as texts.
    :raises psycopg.Error: for what the server or the connection refuses.
    """
    pgconn = driver.pgconn
    names = _NAMES.setdefault(driver, {})
    sends: list[Callable[[], object]] = []
    answers = []
    for statement, values in statements:
        if driver.prepare_threshold is None:
            # As behind a pooler that hands every transaction to another server.
            sends.append(partial(pgconn.send_query_params, statement, values))
        elif statement in names:
            sends.append(partial(pgconn.send_query_prepared, names[statement], values))
        else:
            names[statement] = b"nefertari_%d" % next(_numbers)
            sends.append(partial(pgconn.send_prepare, names[statement], statement))
            sends.append(partial(pgconn.send_query_prepared, names[statement], values))
            answers.append(False)
        sends.append(pgconn.pipeline_sync)
        answers.append(True)
    try:
        results = _exchange(driver, sends)
    except errors.Error:
        # Whatever it was, the next delivery prepares anew.
        del _NAMES[driver]
        raise
    return [
        [
            tuple(result.get_value(row, column) for column in range(result.nfields))
            for row in range(result.ntuples)
        ]
        for result, is_answer in zip(results, answers, strict=True)
        if is_answer
    ]


def _exchange(driver: Any, sends: Sequence[Callable[[], object]]) -> list[Any]:
    """The results of what is sent in one pipeline, without those of its ends.

    :raises psycopg.Error: for the first that failed.
    """
    results = _received(driver, _pipeline(driver.pgconn, sends))
    _raise_failure(results)
    return results


def _received(driver: Any, exchange: Generator[Wait, Ready, list[Any]]) -> list[Any]:
    """What an exchange gives; psycopg waits for the connection where it yields."""
    with driver.lock:
        try:
            results: list[Any] = driver.wait(exchange)
        except BaseException:
            # Answers may come that nobody waits for any more.
            driver.close()
            raise
    return results


def _raise_failure(results: Sequence[Any]) -> None:
    for result in results:
        if result.status == ExecStatus.FATAL_ERROR:
            raise errors.error_from_result(result)


def _flushed(pgconn: Any) -> Generator[Wait, Ready, None]:
    """Send all that waits to be sent."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()


def _pipeline(
    pgconn: Any, sends: Sequence[Callable[[], object]]
) -> Generator[Wait, Ready, list[Any]]:
    """Send, and receive."""
    pgconn.enter_pipeline_mode()
    for send in sends:
        send()
    yield from _flushed(pgconn)
    results: list[Any] = []
    ends = sends.count(pgconn.pipeline_sync)
    while ends:
        while pgconn.is_busy():
            if (yield Wait.R):
                pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:
            # This stands between the results of two statements.
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            ends -= 1
        else:
            results.append(result)
    pgconn.exit_pipeline_mode()
    return results


def _prepared(driver: Any, statement: bytes) -> bytes | None:
    """The name that a statement is prepared under on the connection, if it is."""
    manager = getattr(driver, "_prepared", None)
    names = getattr(manager, "_names", None) or {}
    return next((name for (text, _), name in names.items() if text == statement), None)

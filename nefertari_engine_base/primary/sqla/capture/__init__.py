"""What an application writes by SQLAlchemy, and the entries that follow from it.

A statement of any kind, of a flush, of a session, of ``session.connection()`` or of an
engine, comes down to the dialect, after all listeners, options and lambdas of the
application have spoken. :mod:`.hooks` listens there; :mod:`.plans` says what a
statement is going to change; :mod:`.executing` writes the entries around it, and
:mod:`.transactions` sees to what belongs to its transaction. Mapper events are heard
for the sake of Pyramid's events alone (:mod:`.instances`).
"""

"""SQLAlchemy's own ORM tests, run with write capture switched on.

``python -m tests.peers.sqlalchemy --help`` has the command. Each test of the source
distribution's ``test/orm`` gets an application of its own: every class that it maps has
documents in the in-memory secondary. What passes without us has to pass with us, and
what is committed has to be in the index when the test ends.

* :mod:`.sources`, :mod:`.interpreters` and :mod:`.databases` see to what a run needs,
  :mod:`.running` runs pytest in a process of its own, :mod:`.baseline` remembers which
  tests pass without us.
* In that process, :mod:`.plugin` has pytest's hooks, and :mod:`.following` does what is
  to be done before and after each test, with :mod:`.application`, :mod:`.mappers`,
  :mod:`.listeners`, :mod:`.statements` and :mod:`.comparing`.
* :mod:`.records` is what it writes down. :mod:`.judging` makes problems of it, but for
  what is :mod:`.expected`, and :mod:`.summary` prints them.
"""

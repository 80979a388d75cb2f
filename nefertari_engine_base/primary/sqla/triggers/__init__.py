"""Triggers: changes that no session makes write entries, too.

:mod:`.captures` finds out what the rows of each table touch, :mod:`.names` how SQL
writes a document's id, :mod:`.postgresql` and :mod:`.sqlite` the triggers of each
database, and :mod:`.installing` puts them there.
"""

"""Crash tests: everything is killed, and then the index is compared with the rows.

``python -m chaos`` torments writers, workers and servers at once; ``python -m
chaos.faults`` provokes one fault at a time, many times. See their ``--help``.
"""

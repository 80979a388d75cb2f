"""The language of programs: each operation is a small value that knows how to run.

What operations return is compared between two runs, so it has no instances in it.
"""

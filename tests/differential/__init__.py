"""Random programs with and without us: the same rows, results and errors, and an index
that equals the rows."""

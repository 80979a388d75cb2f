"""Adapters to the stores that own the data, a folder each, with the same file names."""

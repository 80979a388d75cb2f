"""Shipped for applications and engines: an in-memory secondary, conformance suites."""

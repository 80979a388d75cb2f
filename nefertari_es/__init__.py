"""Elasticsearch as the secondary engine."""

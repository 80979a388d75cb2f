"""Kept for tools that look for it; pyproject.toml is the one place of metadata."""

from setuptools import setup

setup()

"""What stands in the server behind a model: names, mapping, creation."""

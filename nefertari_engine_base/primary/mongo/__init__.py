"""MongoEngine as a primary engine: the parts that there are; none of them captures
changes yet."""

"""What runs in the process of MongoEngine's tests.

It is found by a path of its own, since their package is called ``tests`` as well.
"""

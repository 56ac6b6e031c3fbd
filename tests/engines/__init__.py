"""The tests on other engines than the host's own: Debian's packages of several suites, each engine in an enclosure.

``python -m tests.engines [ENGINE…]`` makes what it needs under a cache directory, and leaves nothing else behind.
"""

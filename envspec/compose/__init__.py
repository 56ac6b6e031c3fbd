"""Compose documents: read with bounds, resolved, searched for what reaches out, and turned into resources.

``read`` takes a document and everything that it names from this host; the engine's Compose resolves it; ``effects``
finds what needs permission; ``project`` makes services, networks and volumes of it, with ``replicas`` for services of
several containers and ``shelved`` for secrets that may be in no layer.
"""

"""envspec: a declarative environment engine for Docker and Podman."""

__version__ = "0.1.0"

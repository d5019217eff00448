"""How much one push may bring. Sizes are bytes."""

from dataclasses import dataclass

KB = 1024
MB = 1024 * KB


@dataclass(frozen=True)
class Limits:
    """The bounds of a pack, and of the tree that is deployed."""

    pack: int = 200 * MB
    objects: int = 200_000
    object_size: int = 50 * MB  # of one object, and of what a delta makes
    inflated: int = 2048 * MB  # of all objects together
    delta_depth: int = 50
    commands: int = 1000  # refs in one push
    edges: int = 10_000  # commits at which a shallow history ends
    options: int = 20  # of `git push -o`
    files: int = 50_000
    tree_size: int = 500 * MB
    tree_depth: int = 64
    path: int = 1024
    reading: int = 10 * 1024 * MB  # to be unpacked to read a tree once, bases of deltas included
    index_memory: int = 1024 * MB  # address space of git index-pack
    index_seconds: int = 300
    silence: float = 600.0  # seconds without a word: a hook, or packing a history, takes minutes
    grace: float = 1200.0  # seconds that a client may let us wait in all, and one more ...
    rate: int = 10 * KB  # ... for so many bytes that it brings
    repository: int = 2048 * MB  # of one app: above it no pack is taken

"""`python -m features VERB`: the command of the cache, and what users are told of one."""

from cli.cache.verbs import main, parser

__all__ = ["main", "parser"]

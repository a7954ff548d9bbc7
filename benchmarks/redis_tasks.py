"""What the tasks of `redis_workers` do: in a module of its own, which a worker loads quickly."""


def nothing(*_befores: object) -> None:
    """Do nothing; takes whatever the tasks before it returned."""

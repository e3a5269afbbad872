"""Choosing servers and counts for a part."""
import machine


def servers(kinds, *names):
    """Ours, its variants, and those peers of the names that are present."""
    return [kind for kind in kinds
            if kind.name in names or hasattr(kind, "sandbox")]


def counts(*wanted, limit=None):
    """Those that the limit of open files allows, and its own."""
    most = machine.most_clients() if limit is None else min(
        limit, machine.most_clients())
    return [n for n in wanted if n < most] + [most]

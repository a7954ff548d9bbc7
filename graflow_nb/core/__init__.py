"""The graph, its tasks, and the engine that runs them. Knows no notebook, no cache and no backend."""

"""Where a task's call happens."""

"""What a task was seen to use while it ran."""

"""Calls on workers of RQ, through a Redis: queued work on as many machines as there are."""

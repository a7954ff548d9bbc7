"""What makes a task out of date: fingerprints, what code reads, the store, and the reasons."""

"""What code is and reads."""

"""Notebooks and scripts as files: what is in them, what of it a flow needs, and the same in other forms."""

"""Calls on a Dask cluster: results stay there as futures, and go from worker to worker."""

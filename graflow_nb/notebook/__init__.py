"""The front end in Jupyter and IPython."""

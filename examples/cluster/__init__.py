"""The frame extraction of examples/pipeline on many machines, with Dask."""

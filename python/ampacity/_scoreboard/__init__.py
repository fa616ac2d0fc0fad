"""Measured training runs as scenarios: each row of a CSV becomes a model, a cluster, a job and its layouts.

What a source leaves open is filled in by the fewest assumptions, and every assumption is noted in the result.
"""

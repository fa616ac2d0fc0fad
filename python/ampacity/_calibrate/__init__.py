"""Fitting device families to measured kernels."""

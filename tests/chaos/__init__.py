"""Faults of every kind, at random, against a running system; then the sums are checked.

`make chaos MINUTES=2 SEED=7`. See README.md here.
"""

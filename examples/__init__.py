"""Whole applications on jobqueue, to run and to read."""

"""Fitting in with what an application already uses."""

"""Pairs of statements that meet at one job, with every order of their commits forced."""

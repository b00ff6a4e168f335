"""The checks, one a module.

To add one, write `thing.py` here with a function `thing` under `@check(...)`, and its question in
`store/sql/doctor/thing.sql`. Nothing else has to know of it. A question is cheap beside ten million
jobs: it uses an index and reads a bounded number of rows. Silence is what a healthy fleet gets.
"""

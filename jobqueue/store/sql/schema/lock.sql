-- One migration at a time; the others wait, and find it done. The key is that of migrations/env.py.
SELECT pg_advisory_xact_lock(1785684593)

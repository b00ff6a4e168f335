-- Which process of the server answers: behind a pooler it may be another one each time.
SELECT pg_backend_pid()

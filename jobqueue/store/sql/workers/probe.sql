-- Find out whether the server is still there.
SELECT 1

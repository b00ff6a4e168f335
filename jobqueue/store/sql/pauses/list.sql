-- What is paused. Usually nothing, which costs a look into an empty table.
SELECT kind, name, key, reason, paused_at FROM jobqueue.pauses ORDER BY kind, name, key

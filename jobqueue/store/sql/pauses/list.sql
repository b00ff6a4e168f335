-- What is paused. Usually nothing, which costs a look into an empty table.
SELECT kind, name, reason, paused_at FROM jobqueue.pauses ORDER BY kind, name

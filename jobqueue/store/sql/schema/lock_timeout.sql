-- Limit the wait for each lock until the transaction ends, and give the limit there was before.
SELECT current_setting('lock_timeout'), set_config('lock_timeout', %(limit)s, true)

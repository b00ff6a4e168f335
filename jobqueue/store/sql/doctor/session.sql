-- How the doctor asks, until its transaction ends: writing nothing, with a limit of time, waiting for no
-- lock, and by the indexes that its questions name, whatever the statistics say.
SELECT set_config('transaction_read_only', 'on', true),
       set_config('statement_timeout', %(timeout)s, true),
       set_config('lock_timeout', '500ms', true),
       set_config('jit', 'off', true),
       set_config('enable_seqscan', 'off', true),
       set_config('enable_bitmapscan', 'off', true)

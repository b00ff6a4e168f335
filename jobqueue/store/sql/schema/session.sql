-- How every session of a worker runs: short statements, planned once, without compilation, which
-- would cost more than they do.
-- A plan outlives the table it was made for: one made while the table was empty would scan it, or
-- join by nested loops, when it is full. Each statement has the index it needs, so the planner is
-- told not to consider either; where there is no other way it does so all the same.
-- Nor bitmaps: they take rows as they stand in the table, an index in its own order. Statements that
-- end several jobs meet a rescue of the same ones, and two orders are a deadlock.
SELECT set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('enable_seqscan', 'off', false),
       set_config('enable_nestloop', 'off', false),
       set_config('enable_bitmapscan', 'off', false),
       set_config('lock_timeout', %(lock_timeout)s, false),
       set_config('idle_session_timeout', %(idle_timeout)s, false),
       set_config('default_transaction_isolation', 'read committed', false)

-- How every session of a worker runs: short statements, planned once. Compiling them costs more
-- than running them, and a plan made for today's sizes must not outlive them, so it is generic.
SELECT set_config('jit', 'off', false),
       set_config('plan_cache_mode', 'force_generic_plan', false),
       set_config('lock_timeout', %(lock_timeout)s, false),
       set_config('default_transaction_isolation', 'read committed', false)

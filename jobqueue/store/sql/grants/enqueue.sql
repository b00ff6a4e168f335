-- What a role needs that may only enqueue: no right to any job, not even its own.
GRANT USAGE ON SCHEMA jobqueue TO {role};
GRANT SELECT ON jobqueue.schema_version TO {role};
GRANT INSERT ON jobqueue.new_jobs TO {role};
GRANT SELECT ON jobqueue.sleepers TO {role};
GRANT EXECUTE ON FUNCTION jobqueue.enqueue_v1, jobqueue.enqueue_many_v1,
    jobqueue.enqueue_gated_v1 TO {role};

-- The schema's version and the oldest release it still serves.
SELECT version, oldest_supported FROM jobqueue.schema_version

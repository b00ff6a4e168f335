-- How far the schema is; no row: nothing has been run yet.
SELECT version_num FROM jobqueue.alembic_version

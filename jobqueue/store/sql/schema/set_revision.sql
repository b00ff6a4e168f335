-- Note how far the schema is.
WITH gone AS (DELETE FROM jobqueue.alembic_version)
INSERT INTO jobqueue.alembic_version (version_num) VALUES (%(revision)s)

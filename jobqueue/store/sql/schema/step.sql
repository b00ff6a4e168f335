-- One migration, printed to be run where it has not been yet.
DO $jobqueue$
BEGIN
    IF NOT EXISTS (SELECT FROM jobqueue.alembic_version WHERE version_num >= '{revision}') THEN
        EXECUTE $migration${script}$migration$;
        DELETE FROM jobqueue.alembic_version;
        INSERT INTO jobqueue.alembic_version (version_num) VALUES ('{revision}');
    END IF;
END
$jobqueue$;

-- What a role needs that runs workers and looks after jobs. Tables of later migrations are included
-- when the role that runs those is the one that runs this.
GRANT USAGE ON SCHEMA jobqueue TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobqueue TO {role};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobqueue TO {role};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobqueue TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA jobqueue
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA jobqueue GRANT USAGE ON SEQUENCES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA jobqueue GRANT EXECUTE ON FUNCTIONS TO {role};

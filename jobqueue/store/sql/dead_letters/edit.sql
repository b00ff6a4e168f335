-- Give a dead letter other arguments.
UPDATE jobqueue.dead_letters SET args = %(args)s::jsonb WHERE id = %(id)s::uuid RETURNING id::text

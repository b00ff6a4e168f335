"""SQL and nothing else; SQL lives nowhere else. One statement a file, under `sql/<noun>/<verb>.sql`."""

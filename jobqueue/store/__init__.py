"""SQL and nothing else; SQL lives nowhere else. One statement a file: `sql/<noun>/<verb>.sql`."""

"""The command line: wiring and words. Imported by nobody."""

"""The doctor finds what a test has made go wrong, and is silent once its own remedy is applied."""

"""The queue beside a model of it: whatever is done to both, they say the same."""

"""A module that prints when it is imported."""

print("loaded loudly")  # noqa: T201 - that is what is tested

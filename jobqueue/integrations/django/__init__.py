"""A Django app: put `jobqueue.integrations.django` into INSTALLED_APPS for its commands."""

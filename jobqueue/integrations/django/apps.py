"""The Django app's configuration."""

from __future__ import annotations

from django.apps import AppConfig


class JobQueueConfig(AppConfig):
    """Brings `manage.py jobqueue_migrate`."""

    name = "jobqueue.integrations.django"
    label = "jobqueue"
    verbose_name = "Job queue"

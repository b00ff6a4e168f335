"""Hooks that the leader calls when something is wrong for too long, and when it is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from jobqueue.client.hooks import Hooks
from jobqueue.core.alerts import Alert, AlertRules

H = TypeVar("H", bound=Callable[[Alert], Any])


class Alerting:
    """The part of a JobQueue that is about alerts.

    alert_rules: by which the leader judges; those of the application whose worker leads.
    """

    hooks: Hooks
    alert_rules: AlertRules = AlertRules()

    def on_alert(self, hook: H) -> H:
        """Register a function, plain or async, that is called with an Alert.

        The leader calls it when the alert starts and when it is over: once each, whichever worker
        leads then; a leader that dies while it does so leaves it to the next to call again. A plain
        function runs in a thread. What it raises is logged, and so is one that takes longer than
        ten seconds. Raises ConfigurationError if it cannot be called so.
        """
        self.hooks.add_alert(hook)
        return hook

"""Every kind of task that hurts its worker elsewhere, beside a thousand that behave."""

"""The rules of schedules: when their ticks are, and what becomes of a tick that is due."""

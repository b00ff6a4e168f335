"""What is wrong with a database or a fleet, with the evidence and what to do about it.

from jobqueue.doctor import examine

report = examine("postgresql://…")
report.healthy, report.problems
"""

from jobqueue.doctor.examination import examine
from jobqueue.doctor.limits import Limits
from jobqueue.doctor.report import Problem, Report, Result, Unseen

__all__ = ["Limits", "Problem", "Report", "Result", "Unseen", "examine"]

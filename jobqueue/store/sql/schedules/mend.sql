-- Try broken schedules once more: a new leader may know a zone or a pattern that the last one did not.
UPDATE jobqueue.schedules SET state = 'active' WHERE state = 'broken' RETURNING id

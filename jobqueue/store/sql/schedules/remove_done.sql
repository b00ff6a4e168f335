-- Remove schedules that no tick is left of and that are to be removed then, once their jobs have ended.
-- One that code declares stays for as long as it does: the next worker would make it anew, and run it.
-- Gives their names.
-- index: schedules_done
DELETE FROM jobqueue.schedules AS schedule
WHERE schedule.state = 'finished' AND schedule.remove_when_done
  AND schedule.declared IS NULL
  AND NOT EXISTS (
      SELECT FROM jobqueue.schedule_ticks AS tick
      WHERE tick.schedule_id = schedule.id AND tick.state IN ('enqueued', 'waiting')
  )
RETURNING schedule.name

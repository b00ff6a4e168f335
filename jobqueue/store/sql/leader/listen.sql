-- Hear which duty is to be seen to at once; a notification's payload is its name.
LISTEN jobqueue_leader

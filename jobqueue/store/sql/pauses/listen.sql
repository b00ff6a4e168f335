-- Hear when pauses change; the table says what they are.
LISTEN jobqueue_pauses

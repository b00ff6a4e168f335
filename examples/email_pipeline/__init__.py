"""A transactional email pipeline: sign-ups, welcome mails, and everything that goes wrong between."""

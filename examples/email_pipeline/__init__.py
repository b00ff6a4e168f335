"""A transactional email pipeline: sign-ups, welcome mails, and what goes wrong between them."""

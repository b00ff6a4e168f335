"""What tests and laptops need: an embedded PostgreSQL."""

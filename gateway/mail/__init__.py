"""Mail on its way through: taken in by our own SMTP state machine, spooled, sanitised, delivered."""

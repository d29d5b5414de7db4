"""What runs: capture replay, kernel enforcement, mail, audit, command line."""

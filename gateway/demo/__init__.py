"""The demonstration: a whole city at work, with what was asked, what was expected and what really came."""

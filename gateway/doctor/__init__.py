"""What this machine has of what masugata needs: each layer is really tried, never guessed from a version."""

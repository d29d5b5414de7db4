"""What speaks to the Linux kernel: rules, connections, logged packets."""

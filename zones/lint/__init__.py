"""Lint: what the owner of an allowlist should hear although the policy is valid.

`engine.lint` returns findings with a place each; `codes.CODES` is the table of what can be found,
`engine.CHECKS` who finds it. A finding is silenced in the file itself, with a reason and an end
(`suppress`). Nothing here opens anything, and nothing here changes what a packet is told.
"""

"""Questions about all packets at once: proofs, counterexamples, differences, and flows that never decide.

`decide` answers for one packet; here the whole header space is cut into boxes and searched exactly
(`space`). A search that runs out of its budget is `Undecided`: it never counts as a proof. Nothing here
opens anything; deadlines come in as a callable.
"""

"""Suggest: least-privilege proposals for a policy, from traffic that was replayed against it.

    packets → exchanges (`evidence`) → what may be proposed, and what not and why (`triage`) → the action that
    the policy leaves for it (`actions`) → what belongs together (`merging`) → names and entries (`proposals`)
    → tried in the policy, and proved (`trial`) → a patch (`patch`)

Everything here is values in, values out; files, clocks and terminals are the verb's (`gateway.cli.suggest`).
"""

"""The gate of an ensemble: its members must be made as carefully as a run that is promoted by itself. Pure."""

from __future__ import annotations

from mhc.policy import PromotionPolicy
from mhc.production.decision import PASSED, GateInputs, pass_or_fail, verdict
from mhc.record import EnsembleMember, Gate
from mhc.terminal import quantity


def members(inputs: GateInputs, policy: PromotionPolicy) -> list[Gate]:
    """Require that no member is a debug run, and that the code of each is known as the policy asks."""
    own = inputs.record.ensemble
    if not own:
        return []
    why = policy.origin.why
    flaws = [f"{member.run} {flaw}" for member in own if (flaw := _flaw(member, policy.origin.git))]
    if not flaws:
        return [verdict("members", PASSED, f"{quantity(len(own), 'member')} of known code, none a debug run", why)]
    remedy = "members that were trained from a git commit without changes and are no debug runs"
    return [pass_or_fail("members", "; ".join(flaws), why, remedy, passed=False)]


def _flaw(member: EnsembleMember, git: str) -> str:
    """Return what is wrong with a member; empty if nothing is."""
    if member.category == "debug":
        return "is a debug run"
    if git == "any":
        return ""
    if member.git_commit is None or member.git_dirty is None:
        return "has no recorded git commit"
    if member.git_dirty and not (git == "recorded" and member.has_diff):
        return "was trained with uncommitted changes" + ("" if member.has_diff else " that are not recorded")
    return ""

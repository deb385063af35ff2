"""A contest in words."""

from dataclasses import dataclass

from shared_engine.report.contest import Contest, Duel
from shared_engine.report.estimate import CONTENTS, Estimate


@dataclass(frozen=True)
class Verdict:
    """A headline, what stands behind it, and warnings."""

    headline: str
    support: str
    caveats: tuple[str, ...]


def verdict(contest: Contest) -> Verdict:
    """Which candidate wins, or that no difference is shown."""
    best, rivals = contest.best, contest.candidates[1:]
    if not rivals:
        return Verdict(f"{best.name}: SROCC {best.score.mean:.4f}", "There is nothing to compare it with.", ())
    level = contest.level_with_best
    runner_up = contest.against_best(rivals[0].name)
    behind = [one for one in rivals if one not in level]
    if not level:
        headline = f"{best.name} wins"
    else:
        headline = f"No difference shown between {_listed([best.name, *(one.name for one in level)])}"
    support = f"{best.name} has the largest mean SROCC, {best.score.mean:.4f}"
    if all(one.score.mean == best.score.mean for one in rivals):
        support = f"All have the same mean SROCC, {best.score.mean:.4f}"
    elif runner_up is not None:
        support += f": {_amount(runner_up)} above {rivals[0].name}, the next"
    support += "."
    if behind and level:
        support += f" Shown to be worse than {best.name}: {_listed([one.name for one in behind])}."
    return Verdict(headline, support, tuple(_caveats(contest)))


def interval_text(estimate: Estimate) -> str:
    """[low, high], or nothing."""
    return "" if estimate.interval is None else f"[{estimate.interval[0]:.4f}, {estimate.interval[1]:.4f}]"


def p_text(p: float | None) -> str:
    """Three digits, or nothing."""
    return "" if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _amount(duel: Duel) -> str:
    one = duel.difference
    if one.interval is None or duel.p is None:
        return f"{one.mean:.4f}"
    p = p_text(duel.p)
    sign = "" if p.startswith("<") else "= "
    return f"{one.mean:.4f} {interval_text(one)} over {one.n} {one.unit} (p {sign}{p} after Holm)"


def _caveats(contest: Contest) -> list[str]:
    found = []
    duels = list(contest.duels.values())
    units = {duel.difference.unit for duel in duels}
    if any(duel.difference.error is None for duel in duels):
        found.append("Pairs with one run each: nothing tells how sure they are. Repeat with several seeds.")
    elif any(CONTENTS in unit for unit in units):
        found.append(
            "Where two share one combination, the interval is over the contents of the test part and says nothing "
            "about seeds."
        )
    elif any("settings" in unit for unit in units):
        found.append("One seed and split: the intervals are over the other settings.")
    elif any(duel.difference.freedom < 4 for duel in duels):
        found.append("Few repetitions: the intervals are wide, and five or more would tell more.")
    if not contest.shared and len(contest.candidates) > 1:
        found.append("No combination of the other settings has a run of all: means are over each one's own runs.")
    uneven = {one.runs for one in contest.candidates}
    if contest.shared and len(uneven) > 1:
        found.append(
            f"Not all have the same runs ({min(uneven)} to {max(uneven)}): means are over the {contest.shared} "
            f"combination{'' if contest.shared == 1 else 's'} of the other settings that all have."
        )
    undefined = [f"{one.name} ({one.undefined})" for one in contest.candidates if one.undefined]
    if undefined:
        found.append(f"Runs with constant scores, where SROCC is not defined, are left out: {', '.join(undefined)}.")
    return found


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

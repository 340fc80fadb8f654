"""What a summary is worth beside the one that an editor wrote.

    rouge_1("Upton beat Yarm.", "Yarm lost to Upton.")   0.57: F1 of the words that both have
    rouge_l(…)                                            F1 of the longest sequence of words that both have in order
    facts("Upton beat Yarm 3:1.")                         {"Upton", "Yarm", "3", "1"}

Source: Lin, ROUGE: A Package for Automatic Evaluation of Summaries (https://aclanthology.org/W04-1013).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence


def words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def facts(text: str) -> set[str]:
    """Its numbers and names: digits, and words with a capital letter, but those that only begin a sentence."""
    return set(re.findall(r"\d+|\b[^\W\d_a-z]\w+", re.sub(r"(^|[.!?] )(A|The|Profit|Some|About|On)\b", " ", text)))


def rouge_1(found: str, wanted: str) -> float:
    one, other = words(found), words(wanted)
    return f1((Counter(one) & Counter(other)).total(), len(one), len(other))


def rouge_l(found: str, wanted: str) -> float:
    one, other = words(found), words(wanted)
    return f1(longest_common(one, other), len(one), len(other))


def longest_common(one: Sequence[str], other: Sequence[str]) -> int:
    """The length of the longest sequence that both have in order, with gaps."""
    lengths = [0] * (len(other) + 1)
    for word in one:
        before = lengths
        lengths = [0]
        for n, beside in enumerate(other):
            lengths.append(before[n] + 1 if word == beside else max(before[n + 1], lengths[n]))
    return lengths[-1]


def f1(common: int, found: int, wanted: int) -> float:
    return 2 * common / (found + wanted) if common else 0.0


def measured(found: Sequence[str], wanted: Sequence[str], texts: Sequence[str]) -> dict[str, float]:
    """Shares from 0 to 1: of summaries as wanted to the letter, ROUGE, of facts kept, of facts that no text has."""
    pairs = list(zip(found, wanted, strict=True))
    kept, all_wanted = (
        sum(len(each) for each in some) for some in ([facts(a) & facts(b) for a, b in pairs], map(facts, wanted))
    )
    made_up = sum(len(facts(each) - facts(text)) for each, text in zip(found, texts, strict=True))
    return {
        "exact match": sum(a == b for a, b in pairs) / len(pairs),
        "ROUGE-1": sum(rouge_1(a, b) for a, b in pairs) / len(pairs),
        "ROUGE-L": sum(rouge_l(a, b) for a, b in pairs) / len(pairs),
        "facts kept": kept / max(1, all_wanted),
        "facts made up": made_up / max(1, sum(len(facts(each)) for each in found)),
    }

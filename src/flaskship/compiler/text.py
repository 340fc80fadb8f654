"""Vectorisers of text: words counted by ONNX Runtime's tokenizer, weights in double precision.

A text is made lower case before it enters the graph, by Python itself, since ONNX Runtime's own depends on the locale.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from onnx import TensorProto

from flaskship.compiler import steps
from flaskship.compiler.graph import Graph, Unconvertible, Value

WORD: Final = r"[\p{L}\p{N}_]"  # Python's \w, in RE2's words
PATTERNS: Final = {
    r"(?u)\b\w\w+\b": WORD + "{2,}",
    r"(?u)\b\w+\b": WORD + "+",
    r"\b\w\w+\b": WORD + "{2,}",
    r"\b\w+\b": WORD + "+",
    r"\w+": WORD + "+",
    r"\S+": r"\S+",
}
PAD: Final = "\x00"


def counts(graph: Graph, step: Any, value: Value) -> Value:
    """CountVectorizer: (N, words)."""
    pattern = PATTERNS.get(step.token_pattern)
    if step.analyzer != "word" or step.tokenizer or step.preprocessor or step.strip_accents or pattern is None:
        raise Unconvertible(f"the {type(step).__name__} takes texts apart in a way of its own")
    shortest, longest = step.ngram_range
    if step.stop_words is not None and longest > 1:
        raise Unconvertible("stop words are left out before words are joined")
    if len(value) != 1:
        raise Unconvertible("a vectoriser has several columns")
    text = graph.op(
        "Reshape",
        graph.lowered(value) if step.lowercase else graph.matrix(value),
        graph.constant(np.array([-1], np.int64)),
    )
    tokens = graph.op("Tokenizer", text, domain="com.microsoft", mark=0, mincharnum=1, pad_value=PAD, tokenexp=pattern)
    ngrams = sorted(
        ((word.split(" "), int(column)) for word, column in step.vocabulary_.items()), key=lambda each: len(each[0])
    )
    sizes = [len(words) for words, _ in ngrams]
    if not shortest <= min(sizes) <= max(sizes) <= longest:
        raise Unconvertible("its vocabulary has words with spaces")
    starts = [sum(size * sizes.count(size) for size in range(1, length)) for length in range(1, longest + 1)]
    found = graph.op(
        "TfIdfVectorizer",
        tokens,
        mode="TF",
        min_gram_length=shortest,
        max_gram_length=longest,
        max_skip_count=0,
        ngram_counts=np.array(starts, np.int64),
        ngram_indexes=np.array([column for _, column in ngrams], np.int64),
        pool_strings=[word for words, _ in ngrams for word in words],
    )
    if step.binary:
        found = graph.op("Cast", graph.op("Greater", found, graph.constant(np.float32(0))), to=TensorProto.FLOAT)
    return graph.value(graph.cast(found), len(step.vocabulary_))


def weigh(graph: Graph, step: Any, value: Value) -> Value:
    """TfidfTransformer."""
    out = graph.numbers(value)
    if step.sublinear_tf:
        one = graph.constant(1.0)
        logs = graph.op("Add", graph.op("Log", graph.op("Max", out, one)), one)
        out = graph.op("Where", graph.op("Greater", out, graph.constant(0.0)), logs, out)
    if step.use_idf:
        out = graph.op("Mul", out, graph.constant(np.asarray(step.idf_, np.float64)))
    weighed = graph.value(out, len(value))
    return steps.norm(graph, step, weighed) if step.norm else weighed


def tfidf(graph: Graph, step: Any, value: Value) -> Value:
    return weigh(graph, step._tfidf, counts(graph, step, value))

"""What the OpenAPI document promises is what is answered: requests are made up from it, and answers held to it."""

from __future__ import annotations

import numpy as np
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from flaskship import web
from flaskship.predict.predictor import Predictor
from flaskship.schema import Answer
from flaskship.settings import Settings

load_all_checks()
ACCEPTED = CHECKS.get_one("positive_data_acceptance")
PATHS = ["/predict", "/predict_file", "/invocations", "/v2/models/shop/infer", "/livez", "/readyz", "/metrics"]


@pytest.fixture(scope="module")
def described(made):
    subject = made("shop")
    subject.open(Predictor(Undecided(subject.codec.signature)))
    return schemathesis.openapi.from_wsgi("/openapi.json", web.create_app([subject], Settings()))


class Undecided:
    """Answers whatever it is asked."""

    thresholds, native = {}, None

    def __init__(self, signature):
        self.signature = signature

    def predict(self, columns):
        rows = len(columns["age"])
        return Answer(values=(np.full(rows, "buys", object),), probabilities=np.full((rows, 2), 0.5))


def test_every_path_is_described(described):
    assert set(PATHS) <= {found.ok().path for found in described.get_all_operations()}


@pytest.mark.parametrize("path", PATHS)
def test_each_answer_is_as_described(described, path):
    for found in described.get_all_operations():
        operation = found.ok()
        if operation.path == path:
            # Of /predict each value is described; of a file, and of other protocols' bodies, not all that must be so.
            @settings(suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy())
            def answered(case):
                case.call_and_validate(excluded_checks=() if path == "/predict" else (ACCEPTED,))

            answered()

"""From a fitted estimator to a graph: one table of estimators by name, composed as pipelines compose them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from onnx import TensorProto

from flaskship.artifact.columns.categories import plain
from flaskship.artifact.model import Model, Refined
from flaskship.artifact.onnx.model import METADATA, Bindings, Input, Result, Role
from flaskship.compiler import boosters, encoders, ensembles, foreign, forests, kernels, linear, steps, text
from flaskship.compiler.graph import Graph, Outcome, Unconvertible, Value
from flaskship.schema import FieldType, Output, Signature, Task

Step = Callable[[Graph, Any, Value], Value]
Predictor = Callable[[Graph, Any, Value], Outcome]
DOUBLE, INT64 = int(TensorProto.DOUBLE), int(TensorProto.INT64)


def transform(graph: Graph, step: Any, value: Value) -> Value:
    """The columns that the fitted transformer makes of these."""
    if step is None or (isinstance(step, str) and step == "passthrough"):
        return value
    return STEPS.get(type(step).__name__, foreign.transform)(graph, step, value)


def predict(graph: Graph, model: Any, value: Value) -> Outcome:
    if type(model).__name__ in PREDICTORS:
        return PREDICTORS[type(model).__name__](graph, model, value)
    if hasattr(model, "predict"):
        return foreign.predict(graph, model, value)
    return Outcome(values=graph.matrix(transform(graph, model, value)))


def pipeline(graph: Graph, model: Any, value: Value) -> Outcome:
    for _, step in model.steps[:-1]:
        value = transform(graph, step, value)
    return predict(graph, model.steps[-1][1], value)


def chain(graph: Graph, step: Any, value: Value) -> Value:
    for _, each in step.steps:
        value = transform(graph, each, value)
    return value


def column_transformer(graph: Graph, step: Any, value: Value) -> Value:
    out = Value(())
    for name, each, _ in step.transformers_:
        chosen = value[step._transformer_to_input_indices[name]]
        if len(chosen) and not (isinstance(each, str) and each == "drop"):
            out += transform(graph, each, chosen)
    return out


def union(graph: Graph, step: Any, value: Value) -> Value:
    out = Value(())
    for _, each in step.transformer_list:
        if not (isinstance(each, str) and each == "drop"):
            out += transform(graph, each, value)
    return out


def histogram(graph: Graph, model: Any, value: Value) -> Outcome:
    return forests.histogram(graph, model, value, transform)


def held(name: str) -> Predictor:
    """Of what only holds another model."""
    return lambda graph, model, value: predict(graph, getattr(model, name), value)


def selecting(graph: Graph, model: Any, value: Value) -> Outcome:
    """RFE: the model over the columns that are left."""
    return predict(graph, model.estimator_, steps.selected(graph, model, value))


def booster(graph: Graph, model: Any, value: Value) -> Outcome:
    """A booster without scikit-learn's API, and CatBoost's models."""
    library = type(model).__module__.partition(".")[0]
    return getattr(boosters, library)(graph, model, value)  # type: ignore[no-any-return]  # of getattr


def of_parts(made: Callable[[Graph, Any, Value, Predictor], Outcome]) -> Predictor:
    return lambda graph, model, value: made(graph, model, value, predict)


def each(names: str, emitter: Any) -> dict[str, Any]:
    return dict.fromkeys(names.split(), emitter)


STEPS: Final[Mapping[str, Step]] = {
    "Binarizer": steps.binarize,
    "ColumnTransformer": column_transformer,
    "CountVectorizer": text.counts,
    "DictVectorizer": encoders.dictionary,
    "FeatureUnion": union,
    "FunctionTransformer": steps.function,
    "KBinsDiscretizer": encoders.bins,
    "MaxAbsScaler": steps.largest,
    "MinMaxScaler": steps.min_max,
    "MissingIndicator": steps.indicate,
    "Normalizer": steps.norm,
    "OneHotEncoder": encoders.one_hot,
    "OrdinalEncoder": encoders.ordinal,
    "Pipeline": chain,
    "PolynomialFeatures": steps.polynomial,
    "PowerTransformer": steps.power,
    "RobustScaler": steps.robust,
    "SimpleImputer": steps.impute,
    "StandardScaler": steps.standard,
    "TargetEncoder": encoders.target,
    "TfidfTransformer": text.weigh,
    "TfidfVectorizer": text.tfidf,
    **each("IncrementalPCA PCA TruncatedSVD", steps.components),
    **each(
        "GenericUnivariateSelect RFE RFECV SelectFdr SelectFpr SelectFromModel SelectFwe SelectKBest SelectPercentile"
        " SequentialFeatureSelector VarianceThreshold",
        steps.selected,
    ),
}
PREDICTORS: Final[Mapping[str, Predictor]] = {
    "AdaBoostClassifier": of_parts(ensembles.ada_boost),
    "CalibratedClassifierCV": of_parts(ensembles.calibrate),
    **each("DummyClassifier DummyRegressor", linear.dummy),
    "CategoricalNB": encoders.categorical,
    "EllipticEnvelope": kernels.envelope,
    "GaussianMixture": kernels.mixture,
    "GaussianNB": linear.gaussian,
    "IsolationForest": forests.isolation,
    "KNeighborsClassifier": kernels.neighbour_classifier,
    "KNeighborsRegressor": kernels.neighbour_regressor,
    "OneClassSVM": kernels.one_class,
    "OneVsRestClassifier": of_parts(ensembles.one_vs_rest),
    "Pipeline": pipeline,
    "QuadraticDiscriminantAnalysis": kernels.quadratic,
    "RANSACRegressor": held("estimator_"),
    "RegressorChain": of_parts(ensembles.regressor_chain),
    "SelfTrainingClassifier": held("estimator_"),
    "SGDOneClassSVM": linear.one_class,
    "TransformedTargetRegressor": of_parts(ensembles.transformed),
    "TunedThresholdClassifierCV": of_parts(ensembles.threshold),
    **each("BaggingClassifier BaggingRegressor", of_parts(ensembles.bag)),
    **each("Booster CatBoost CatBoostClassifier CatBoostRegressor", booster),
    **each(
        "DecisionTreeClassifier ExtraTreeClassifier ExtraTreesClassifier RandomForestClassifier", forests.classifier
    ),
    **each("DecisionTreeRegressor ExtraTreeRegressor ExtraTreesRegressor RandomForestRegressor", forests.regressor),
    **each("GradientBoostingClassifier GradientBoostingRegressor", forests.boosted),
    **each("GridSearchCV HalvingGridSearchCV HalvingRandomSearchCV RandomizedSearchCV", held("best_estimator_")),
    **each("HistGradientBoostingClassifier HistGradientBoostingRegressor", histogram),
    **each("KMeans MiniBatchKMeans", kernels.clusters),
    **each("LGBMClassifier LGBMRanker LGBMRegressor", boosters.lightgbm),
    **each("MLPClassifier MLPRegressor", kernels.network),
    **each("MultinomialNB ComplementNB BernoulliNB", linear.naive_bayes),
    **each("MultiOutputClassifier MultiOutputRegressor", of_parts(ensembles.several)),
    **each("RFE RFECV", selecting),
    **each("NuSVC SVC", kernels.support_classifier),
    **each("NuSVR SVR", kernels.support_regressor),
    **each("StackingClassifier StackingRegressor", of_parts(ensembles.stack)),
    **each("VotingClassifier VotingRegressor", of_parts(ensembles.vote)),
    **each("XGBClassifier XGBRanker XGBRegressor XGBRFClassifier XGBRFRegressor", boosters.xgboost),
    **each(
        "LinearDiscriminantAnalysis LinearSVC LogisticRegression LogisticRegressionCV PassiveAggressiveClassifier"
        " Perceptron RidgeClassifier RidgeClassifierCV SGDClassifier",
        linear.classifier,
    ),
    **each(
        "ARDRegression BayesianRidge ElasticNet ElasticNetCV GammaRegressor HuberRegressor Lars LarsCV Lasso LassoCV"
        " LassoLars LassoLarsCV LassoLarsIC LinearRegression LinearSVR MultiTaskElasticNet MultiTaskElasticNetCV"
        " MultiTaskLasso MultiTaskLassoCV OrthogonalMatchingPursuit OrthogonalMatchingPursuitCV"
        " PassiveAggressiveRegressor PoissonRegressor QuantileRegressor Ridge RidgeCV SGDRegressor TheilSenRegressor"
        " TweedieRegressor",
        linear.regressor,
    ),
}


def convert(model: Model) -> bytes:
    """The model as ONNX, with its bindings. Raises `Unconvertible`."""
    graph = Graph()
    fields = _inputs(graph, model.signature)
    outcome = predict(graph, model.native, _columns(graph, model, fields))
    results = _results(graph, outcome, model.signature)
    bindings = Bindings(inputs=graph.used_inputs(), results=results, batch=graph.batch())
    return graph.to_bytes({METADATA: bindings.to_json()})


def _inputs(graph: Graph, signature: Signature) -> Value:
    """One matrix of the numbers and one of the texts, and the fields as their columns."""
    if any(field.shape for field in signature.inputs):
        raise Unconvertible("its fields are arrays")
    columns: dict[int, tuple[str, int]] = {}
    for is_text, name in ((False, "X"), (True, "text")):
        positions = [i for i, field in enumerate(signature.inputs) if (field.type is FieldType.TEXT) == is_text]
        if positions:
            dtype = "object" if is_text else "float64"
            made = Input(name=name, fields=tuple(positions), dtype=dtype, null=steps.NULL)
            columns |= dict(zip(positions, graph.add_input(made).columns, strict=True))
    return Value(tuple(columns[position] for position in range(len(columns))))


def _columns(graph: Graph, model: Model, fields: Value) -> Value:
    """The fields as the estimator's own columns: those that nothing uses have no field, others may be coded."""
    own = model.model if isinstance(model, Refined) else model
    columns = getattr(getattr(own, "feed", own), "columns", None)
    if columns is None:
        return fields
    graph.names = tuple(column.name for column in columns)
    left = iter(fields.columns)
    out = Value(())
    for column in columns:
        given = Value((next(left) if column.used else ("", 0),))
        out += encoders.coded(graph, given, column.codes) if column.codes else given
    return out


def _results(graph: Graph, outcome: Outcome, signature: Signature) -> tuple[Result, ...]:
    """How the signature's outputs come from the graph's, which are noted in it."""
    task = signature.task
    if task is Task.CLASSIFICATION:
        label = Result(name=graph.output(outcome.label, INT64, 1), role=Role.LABEL)
        if not signature.probabilities:
            return (label,)
        if not outcome.probabilities:
            raise Unconvertible("no graph is known for its probabilities")
        return (label, Result(name=graph.output(outcome.probabilities, DOUBLE, 2), role=Role.PROBABILITIES))
    if outcome.parts:
        return tuple(
            _labelled(graph, part, output) for part, output in zip(outcome.parts, signature.outputs, strict=True)
        )
    if not outcome.values:
        raise Unconvertible("it answers labels where numbers were expected")
    if task in (Task.CLUSTERING, Task.OUTLIER):
        value = Result(name=graph.output(outcome.values, INT64, 1), role=Role.VALUE)
        if not signature.score:
            return (value,)
        return (value, Result(name=graph.output(outcome.score, DOUBLE, 2), role=Role.SCORE))
    name = graph.output(outcome.values, DOUBLE, 2)
    return tuple(Result(name=name, role=Role.VALUE, column=column) for column in range(len(signature.outputs)))


def _labelled(graph: Graph, part: Outcome, output: Output) -> Result:
    """One of several outputs, with classes of its own."""
    if not part.label or part.classes is None:
        raise Unconvertible("its outputs are of several kinds")
    classes = tuple(plain(each, output.type) for each in part.classes.tolist())
    return Result(name=graph.output(part.label, INT64, 1), role=Role.LABEL, classes=classes)

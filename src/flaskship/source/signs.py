"""What a module does, as far as it tells whether it is the app: routes, models that it loads, what it starts."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass

from flaskship.source.apps import is_guard
from flaskship.source.code import Code, Module
from flaskship.source.values import Values

ROUTES = {"route", "get", "post", "put", "delete", "patch", "websocket", "errorhandler", "before_request", "api_route"}
ADDED = {
    *("add_url_rule", "add_api_route", "register_blueprint", "include_router", "add_resource", "add_route", "mount"),
    *("add_namespace", "add_api", "attach_blueprints"),
}
# What loads a model: by full name, or by the last part alone where no other thing is called so.
LOADERS = {
    *("joblib.load", "sklearn.externals.joblib.load", "pickle.load", "pickle.loads", "_pickle.load", "cPickle.load"),
    *("cloudpickle.load", "dill.load", "compress_pickle.load", "torch.load", "torch.jit.load", "torch.hub.load"),
    *("tensorflow.saved_model.load", "tf.saved_model.load", "spacy.load", "skops.io.load", "pandas.read_pickle"),
    *("transformers.pipeline", "ultralytics.YOLO", "lightgbm.Booster", "xgboost.Booster", "whisper.load_model"),
    *("tflite_runtime.interpreter.Interpreter", "tensorflow.lite.Interpreter"),
    *("sentence_transformers.SentenceTransformer",),
}
LOADING = {
    *("load_model", "load_weights", "load_state_dict", "InferenceSession", "from_pretrained", "load_learner"),
    *("model_from_json", "CascadeClassifier", "load_checkpoint", "readNetFromTensorflow", "readNet"),
    *("readNetFromCaffe",),
}
STARTERS = {
    *("uvicorn.run", "hypercorn.run", "waitress.serve", "werkzeug.serving.run_simple", "bottle.run", "granian.Granian"),
    *("wsgiref.simple_server.make_server", "gevent.pywsgi.WSGIServer", "cheroot.wsgi.Server", "run_with_ngrok"),
    *("socketio.run", "paste.httpserver.serve", "eventlet.wsgi.server", "hypercorn.asyncio.serve", "pywsgi.WSGIServer"),
}
FLAVOURS = {"streamlit": "Streamlit", "gradio": "Gradio", "dash": "Dash", "panel": "Panel", "tkinter": "Tk"}
OTHERS = {"aiohttp.web.Application": "aiohttp", "tornado.web.Application": "Tornado", "robyn.Robyn": "Robyn"}
OTHERS |= {"http.server.HTTPServer": "http.server", "chainlit": "Chainlit", "telegram": "Telegram bot"}
WORDS = ("app", "application", "server", "api")


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    routes: int = 0
    loads: int = 0  # calls that load a model
    predicts: int = 0
    guarded: bool = False  # has `if __name__ == "__main__":`
    starts: bool = False  # starts a server: app.run(), uvicorn.run(app)
    port: int = 0  # that it starts it on
    flavour: str = ""  # "Streamlit", "Gradio", … where it is a script of such a one
    exported: bool = False  # from a notebook
    calls_others: bool = False  # uses requests


def of(module: Module, values: Values, text: str, apps: Collection[str] = ()) -> Signs:
    """`apps` are the names that are bound to app objects in it."""
    roots = {each.module.lstrip(".").partition(".")[0] for each in module.imports}
    names = [(call, module.dotted(call.func)) for call in module.calls]
    starts = [call for call, name in names if is_start(name) or is_run(call, apps)]
    ports = [port for call in starts if (port := port_of(call, values))]
    return Signs(
        routes=decorated(module) + sum(name.rpartition(".")[2] in ADDED for _, name in names),
        loads=sum(name in LOADERS or name.rpartition(".")[2] in LOADING for _, name in names),
        predicts=sum(
            name.rpartition(".")[2] in ("predict", "predict_proba", "generate", "run_inference") for _, name in names
        ),
        guarded=any(is_guard(node) for node in module.tree.body),
        starts=bool(starts),
        port=ports[0] if ports else 0,
        flavour=next((said for name, said in FLAVOURS.items() if name in roots), "") or other(module, names),
        exported="\n# In[" in text,
        calls_others="requests" in roots or "httpx" in roots,
    )


def decorated(module: Module) -> int:
    found = 0
    for node in module.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            calls = [each.func if isinstance(each, ast.Call) else each for each in node.decorator_list]
            found += sum(isinstance(each, ast.Attribute) and each.attr in ROUTES for each in calls)
    return found


def is_start(name: str) -> bool:
    owner, _, last = name.rpartition(".")
    return name in STARTERS or (
        last in ("run", "run_server") and owner.rpartition(".")[2].strip("?") in (*WORDS, "socketio", "")
    )


def is_run(call: ast.Call, apps: Collection[str]) -> bool:
    func = call.func
    return isinstance(func, ast.Attribute) and func.attr == "run" and getattr(func.value, "id", "") in apps


def runs_another(code: Code, module: Module) -> bool:
    """Whether it runs what a class from elsewhere makes, which may be an app: `site = MAXApp(…)`, `site.run()`."""
    run = {module.dotted(call.func).removesuffix(".run") for call in module.calls}
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            maker = module.dotted(node.value.func)
            names = {target.id for target in node.targets if isinstance(target, ast.Name)}
            if names & run and "." in maker and not code.local(maker.rpartition(".")[0], module.path):
                return True
    return False


def port_of(call: ast.Call, values: Values) -> int:
    """The port that a server is told; 0 where it is told none, or it cannot be read."""
    second = call.args[1:2] if isinstance(call.func, ast.Attribute) and call.func.attr == "run" else []
    for node in [*(each.value for each in call.keywords if each.arg == "port"), *second]:
        text = str(values.of(node))
        return int(text) if text.isdigit() else 0
    return 0


def other(module: Module, names: list[tuple[ast.Call, str]]) -> str:
    """A framework that no WSGI or ASGI server can run."""
    return next((OTHERS[name] for _, name in names if name in OTHERS), "")

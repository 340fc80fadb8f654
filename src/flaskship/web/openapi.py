"""OpenAPI 3.1 of one model, from its signature; every example is answered."""

from __future__ import annotations

import numpy as np
from flask import Blueprint, Response, request

from flaskship.schema import AnswerType, Field, FieldType, Signature
from flaskship.web import examples, schemas, tensors
from flaskship.web.files import FORMATS
from flaskship.web.pages import as_json
from flaskship.web.schemas import WARNINGS, Schema, ref
from flaskship.web.subject import Site, Subject

ERRORS = {
    "400": "The body cannot be parsed",
    "401": "The key is missing or wrong",
    "413": "The body is too large",
    "415": "The content type is none that is read",
    "422": "A value is missing, unknown, repeated, of the wrong type, outside the choices or not finite",
    "429": "The queue is full",
    "500": "The model or the server failed",
    "503": "The model is not loaded, or the server stops",
}
OF_QUERY = ("400", "401", "422", "429", "500", "503")
ALONE = {FieldType.IMAGE: "image/*", FieldType.TABLE: "text/csv"}  # a body that is the sole file
ALONE |= dict.fromkeys((FieldType.FILE, FieldType.ARRAY), "application/octet-stream")
DATATYPES = ["BOOL", *(f"{kind}{size}" for kind in ("UINT", "INT") for size in (8, 16, 32, 64)), "FP16", "FP32"]
DATATYPES += ["FP64", "BYTES"]


def add(app: Blueprint, subject: Subject, site: Site) -> None:
    whole = document(subject, secured=bool(site.settings.api_key))
    several = len(site.subjects) > 1

    def openapi() -> Response:
        own = (request.root_path + request.path).removesuffix("/").removesuffix("/openapi.json")
        made = {**whole, "servers": [{"url": own or "/"}]}
        if several and subject.path:  # which answers beside the models' own folders
            root = own.removesuffix(f"/{subject.name}") or "/"
            alias = {**made["paths"][subject.path], "servers": [{"url": root}]}
            made["paths"] = {**made["paths"], subject.path: alias}
        return as_json(made)

    app.add_url_rule("/openapi.json", "openapi", openapi, strict_slashes=False)


def document(subject: Subject, *, secured: bool) -> Schema:
    signature = subject.signature
    kind = str(subject.card.get("kind", "")) or signature.task.value
    made: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": subject.name,
            "version": subject.version or "1",
            "description": signature.help or f"Answers of the model {subject.name} ({kind}).",
        },
        "paths": paths(subject),
        "components": {"schemas": components(signature)},
    }
    if secured:
        made["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "password": {"type": "http", "scheme": "basic", "description": "The key as the password of any user."},
        }
        made["security"] = [{"bearer": []}, {"header": []}, {"password": []}]
    return made


def paths(subject: Subject) -> Schema:
    """The routes that suit what the model takes and answers."""
    signature = subject.signature
    found = {"/predict": rows(subject)}
    if subject.path and subject.path != "/predict":
        found[subject.path] = rows(subject, named="_there")
    if subject.cells:
        found["/predict_file"] = {"post": by_file(signature)}
    if signature.inputs and not any(each.type is FieldType.FILE for each in signature.inputs):
        found["/invocations"] = {"post": by_invocation(signature)}
    if not tensors.unfit(signature):
        about = got("The model's tensors", "Open Inference Protocol", "object")
        found[f"/v2/models/{subject.name}"] = {"get": about}
        found[f"/v2/models/{subject.name}/infer"] = {"post": by_tensors(signature)}
    return found | {
        "/livez": {"get": health("Whether the process lives")},
        "/readyz": {"get": health("Whether the model answers", "503")},
        "/metrics": {"get": got("Counts for Prometheus", "Operations", "string", "text/plain")},
    }


def rows(subject: Subject, named: str = "") -> Schema:
    """The operations of /predict; `named` tells those of another path from them."""
    signature = subject.signature
    made: Schema = {"post": by_body(subject, named)}
    if not any(each.required and each.type in schemas.SENT for each in signature.inputs):
        made["get"] = by_query(signature, named)
    if signature.answers is AnswerType.SEGMENTATION:
        made["parameters"] = [option("masks", ["rle", "png"], "Adds the objects' masks to the answer.")]
    return made


def by_query(signature: Signature, named: str = "") -> Schema:
    fields = [each for each in signature.inputs if each.type not in schemas.SENT]
    return {
        "operationId": f"predict_one{named}",
        "summary": "One row, from the query" if fields else "Without arguments",
        **described(signature),
        "tags": ["Predict"],
        "parameters": [parameter(each) for each in fields],
        "responses": {"200": answers(signature, ref("Answer")), **failures(*OF_QUERY)},
    }


def described(signature: Signature) -> Schema:
    return {"description": signature.help} if signature.help else {}


def parameter(field: Field) -> Schema:
    """A field of the query. Text that is JSON where the field is an array or an object."""
    about: Schema = {"name": field.name, "in": "query", "required": field.required}
    about |= {"description": field.help} if field.help else {}
    value = examples.example(field)
    made = schemas.text(field)
    if schemas.listed(field):
        return about | {"style": "form", "explode": True, "schema": schemas.field(field)}
    if "contentSchema" in made.get("anyOf", [made])[0]:
        return about | {"content": {"application/json": {"schema": schemas.field(field), "example": value}}}
    about |= {"allowEmptyValue": True} if field.nullable or not field.required else {}
    return about | {"schema": {**made, "examples": [value]}}


def by_body(subject: Subject, named: str = "") -> Schema:
    signature = subject.signature
    if not signature.inputs:
        return {**by_query(signature, named), "operationId": f"predict{named}"}
    return {
        "operationId": f"predict{named}",
        "summary": "One row" if signature.answers is AnswerType.STREAM else "One row or several",
        **described(signature),
        "tags": ["Predict"],
        "requestBody": {"required": True, "content": bodies(subject)},
        "responses": {"200": answers(signature, {"anyOf": [ref("Answer"), ref("Answers")]}), **failures(*ERRORS)},
    }


def bodies(subject: Subject) -> Schema:
    """Each way to send a row."""
    signature = subject.signature
    one = examples.row(signature)
    shown: Schema = {"one": {"summary": "One row", "value": one}}
    if signature.answers is not AnswerType.STREAM:
        shown["many"] = {"summary": "Several rows", "value": [one, one]}
        if tuple(one) == signature.names[: len(one)]:
            value = [list(one.values())]
            shown["lists"] = {"summary": "Rows as arrays, in the order of the fields", "value": value}
    made: Schema = {"application/json": {"schema": {"oneOf": [ref("Row"), ref("Rows")]}, "examples": shown}}
    sent = [each for each in signature.inputs if each.type in schemas.PARTS]
    if sent:
        kinds = {each.name: {"contentType": "image/*"} for each in sent if each.type is FieldType.IMAGE}
        made["multipart/form-data"] = {"schema": ref("Parts")} | ({"encoding": kinds} if kinds else {})
    if not any(each.type in schemas.SENT for each in sent):
        made["application/x-www-form-urlencoded"] = {"schema": ref("Form")}
    if subject.file:
        made[ALONE[subject.files[subject.file]]] = {}
    return made


def answers(signature: Signature, body: Schema) -> Schema:
    """What is answered: JSON, and where the client asks for it a picture, or the items of a stream as they come."""
    item = {"schema": schemas.prediction(signature)}
    content: Schema = {"application/json": {"schema": body}}
    if signature.answers is AnswerType.STREAM:
        told = {"anyOf": [item["schema"], {"type": "null"}, ref("Problem")]}  # an item, the end, what went wrong
        data = {"type": "string", "contentMediaType": "application/json", "contentSchema": told}
        event = {"type": "object", "properties": {"event": {"enum": ["message", "end", "error"]}, "data": data}}
        text = {"schema": {"type": "string"}}
        content |= {"text/event-stream": {"schema": event}, "application/x-ndjson": item, "text/plain": text}
    elif signature.outputs[0].type is FieldType.IMAGE:
        content["image/png"] = {}
    return {"description": "The answer", "content": content}


def by_file(signature: Signature) -> Schema:
    upload = {
        "type": "object",
        "required": ["file"],
        "properties": {"file": {"type": "string", "contentMediaType": "application/octet-stream"}},
    }
    header = ",".join(signature.names)
    content = {"multipart/form-data": {"schema": upload}, "text/csv": {"schema": {"type": "string"}}}
    kinds = {kind.partition(";")[0]: {"schema": {"type": "string"}} for name, kind in FORMATS.items() if name != "json"}
    return {
        "operationId": "predict_file",
        "summary": "The rows of a file: CSV, JSON Lines, Parquet, Excel",
        "description": f"The file has the columns {header}; further ones pass through.",
        "tags": ["Predict"],
        "parameters": [
            option("format", list(FORMATS), "What is answered; else by the header Accept."),
            option("probabilities", ["true", "false"], "Whether probabilities are in the JSON."),
            option("on_error", ["refuse", "null"], "Whether a bad row refuses the file, or is answered with null."),
        ],
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "Answers", "content": {"application/json": {"schema": ref("FileAnswer")}, **kinds}},
            **failures(*ERRORS),
        },
    }


def option(name: str, choices: list[str], text: str) -> Schema:
    return {"name": name, "in": "query", "description": text, "schema": {"type": "string", "enum": choices}}


def by_invocation(signature: Signature) -> Schema:
    rows = [examples.row(signature)]
    return {
        "operationId": "invocations",
        "summary": "MLflow's and SageMaker's payloads",
        "tags": ["Other protocols"],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"type": "object"}, "example": {"dataframe_records": rows}}},
        },
        "responses": {
            "200": answered({"type": "object", "required": ["predictions"]}),
            "default": {
                "description": "MLflow's error",
                "content": {"application/json": {"schema": {"type": "object"}}},
            },
        },
    }


def by_tensors(signature: Signature) -> Schema:
    return {
        "operationId": "infer",
        "summary": "Tensors, as the Open Inference Protocol has them",
        "tags": ["Open Inference Protocol"],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": ref("Tensors"), "example": {"inputs": sample(signature)}}},
        },
        "responses": {
            "200": answered({"type": "object", "required": ["model_name", "outputs"]}),
            "default": {"description": "An error", "content": {"application/json": {"schema": ref("TensorError")}}},
        },
    }


def sample(signature: Signature) -> list[Schema]:
    """One row, a tensor for each field."""
    found = []
    for field in signature.inputs:
        value = examples.example(field)
        shape = np.shape(value) if field.type is FieldType.ARRAY else tuple(max(size, 1) for size in field.shape)
        kind = tensors.datatype(field) if field.type is FieldType.ARRAY else tensors.DATATYPES[field.type]
        about = {"name": field.name, "datatype": kind, "shape": [1, *shape]}
        found.append({**about, "data": [value]})
    return found


def got(summary: str, tag: str, kind: str, content: str = "application/json") -> Schema:
    return {
        "summary": summary,
        "tags": [tag],
        "responses": {"200": {"description": "OK", "content": {content: {"schema": {"type": kind}}}}},
    }


def health(summary: str, *statuses: str) -> Schema:
    made = got(summary, "Operations", "string", "text/plain")
    return {**made, "security": [], "responses": {**made["responses"], **failures(*statuses)}}


def answered(body: Schema) -> Schema:
    return {"description": "The answer", "content": {"application/json": {"schema": body}}}


def failures(*statuses: str) -> Schema:
    content = {"application/problem+json": {"schema": ref("Problem")}}
    return {status: {"description": ERRORS[status], "content": content} for status in statuses}


def components(signature: Signature) -> Schema:
    made = {
        "Answer": schemas.answer(signature),
        "Answers": {
            "type": "object",
            "required": ["predictions"],
            "properties": {"predictions": {"type": "array", "items": ref("Answer")}, "warnings": WARNINGS},
        },
        "FileAnswer": {
            "type": "object",
            "required": ["rows", "predictions"],
            "properties": {
                "rows": {"type": "integer"},
                "predictions": {"type": "array", "items": schemas.nullable(schemas.prediction(signature))},
                "warnings": WARNINGS,
            },
        },
        "Problem": PROBLEM,
        "Tensors": TENSORS,
        "TensorError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    }
    return schemas.named((asked(signature) if signature.inputs else {}) | made)


def asked(signature: Signature) -> Schema:
    """What a row may be: an object or an array in the order of the fields, several of them, a form."""
    fields = signature.inputs
    each_field = {each.name: schemas.field(each) for each in fields}
    required = [each.name for each in fields if each.required]
    least = max((index for index, each in enumerate(fields, 1) if each.required), default=0)
    listed = {
        "type": "array",
        "prefixItems": list(each_field.values()),
        "minItems": least,
        "maxItems": len(fields),
    }
    most = {"maxItems": 1} if signature.answers is AnswerType.STREAM else {}
    made = {
        "Row": schemas.row(each_field, required),
        "Form": schemas.row({each.name: schemas.text(each) for each in fields}, required),
        "Rows": {"type": "array", "minItems": 1, "items": {"oneOf": [ref("Row"), listed]}} | most,
    }
    if any(each.type in schemas.PARTS for each in fields):
        made["Parts"] = schemas.row({each.name: schemas.part(each) for each in fields}, required)
    return made


PROBLEM = {
    "type": "object",
    "description": "RFC 9457",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/invalid-input"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["at", "message"],
                "properties": {"at": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
TENSORS = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": "string"},
        "parameters": {"type": "object"},
        "inputs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": {"type": "array", "items": {"type": "integer"}},
                    "datatype": {"enum": DATATYPES},
                    "data": {"type": "array"},
                },
            },
        },
        "outputs": {"type": "array", "items": {"type": "object", "required": ["name"]}},
    },
}

"""OpenAPI 3.1 of one model, from its signature; every example is answered."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

from flask import Blueprint, Response, request

from flaskship.predict.answers import label
from flaskship.predict.rules import bounds
from flaskship.schema import Field, FieldType, Output, Signature
from flaskship.web import examples
from flaskship.web.files import FORMATS
from flaskship.web.pages import as_json, seen
from flaskship.web.subject import Site, Subject

Schema: TypeAlias = dict[str, Any]

TYPES = {
    FieldType.NUMBER: "number",
    FieldType.INTEGER: "integer",
    FieldType.BOOLEAN: "boolean",
    FieldType.TEXT: "string",
}
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
DATATYPES = ["BOOL", *(f"{kind}{size}" for kind in ("UINT", "INT") for size in (8, 16, 32, 64)), "FP16", "FP32"]
DATATYPES += ["FP64", "BYTES"]


def add(app: Blueprint, subject: Subject, site: Site) -> None:
    whole = document(subject, secured=bool(site.settings.api_key))

    def openapi() -> Response:
        root = (request.root_path + request.path).removesuffix("/").removesuffix("/openapi.json")
        return as_json({**whole, "servers": [{"url": root or "/"}]})

    app.add_url_rule("/openapi.json", "openapi", openapi, strict_slashes=False)


def document(subject: Subject, *, secured: bool) -> Schema:
    signature = subject.signature
    kind = str(subject.card.get("kind", "")) or signature.task.value
    made: Schema = {
        "openapi": "3.1.0",
        "info": {
            "title": subject.name,
            "version": subject.version or "1",
            "description": f"Answers of the model {subject.name} ({kind}).",
        },
        "paths": paths(subject),
        "components": {"schemas": schemas(signature)},
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
    return {
        "/predict": {"get": by_query(subject.signature), "post": by_body(subject.signature)},
        "/predict_file": {"post": by_file(subject.signature)},
        "/invocations": {"post": by_invocation(subject.signature)},
        f"/v2/models/{subject.name}": {"get": got("The model's tensors", "Open Inference Protocol", "object")},
        f"/v2/models/{subject.name}/infer": {"post": by_tensors(subject.signature)},
        "/livez": {"get": health("Whether the process lives")},
        "/readyz": {"get": health("Whether the model answers", "503")},
        "/metrics": {"get": got("Counts for Prometheus", "Operations", "string", "text/plain")},
    }


def by_query(signature: Signature) -> Schema:
    return {
        "operationId": "predict_one",
        "summary": "One row, from the query",
        "tags": ["Predict"],
        "parameters": [parameter(field) for field in signature.inputs],
        "responses": {"200": answered(ref("Answer")), **failures(*OF_QUERY)},
    }


def parameter(field: Field) -> Schema:
    """A field of the query. Text that is JSON where the field is an array."""
    about: Schema = {"name": field.name, "in": "query", "required": True}
    value = examples.example(field)
    if field.shape:
        return about | {"content": {"application/json": {"schema": schema(field), "example": value}}}
    about |= {"allowEmptyValue": True} if field.nullable else {}
    return about | {"schema": {**as_text(field), "examples": [value]}}


def by_body(signature: Signature) -> Schema:
    one = examples.row(signature)
    as_json_body = {
        "schema": {"oneOf": [ref("Row"), ref("Rows")]},
        "examples": {
            "one": {"summary": "One row", "value": one},
            "many": {"summary": "Several rows", "value": [one, one]},
            "lists": {"summary": "Rows as arrays, in the order of the fields", "value": [list(one.values())]},
        },
    }
    return {
        "operationId": "predict",
        "summary": "One row or several",
        "tags": ["Predict"],
        "requestBody": {
            "required": True,
            "content": {"application/json": as_json_body, "application/x-www-form-urlencoded": {"schema": ref("Form")}},
        },
        "responses": {"200": answered({"anyOf": [ref("Answer"), ref("Answers")]}), **failures(*ERRORS)},
    }


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
            "content": {"application/json": {"schema": ref("Tensors"), "example": {"inputs": tensors(signature)}}},
        },
        "responses": {
            "200": answered({"type": "object", "required": ["model_name", "outputs"]}),
            "default": {"description": "An error", "content": {"application/json": {"schema": ref("TensorError")}}},
        },
    }


def tensors(signature: Signature) -> list[Schema]:
    """One row, a tensor for each field."""
    kinds = {FieldType.NUMBER: "FP64", FieldType.INTEGER: "INT64", FieldType.BOOLEAN: "BOOL", FieldType.TEXT: "BYTES"}
    found = []
    for field in signature.inputs:
        shape = [1, *(max(size, 1) for size in field.shape)]
        found.append(
            {"name": field.name, "datatype": kinds[field.type], "shape": shape, "data": [examples.example(field)]}
        )
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


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def schemas(signature: Signature) -> Schema:
    listed = {
        "type": "array",
        "prefixItems": [schema(field) for field in signature.inputs],
        "minItems": len(signature.inputs),
        "maxItems": len(signature.inputs),
    }
    return {
        "Row": row({field.name: schema(field) for field in signature.inputs}),
        "Form": row({field.name: as_text(field) for field in signature.inputs}),
        "Rows": {"type": "array", "minItems": 1, "items": {"oneOf": [ref("Row"), listed]}},
        "Answer": answer(signature),
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
                "predictions": {"type": "array", "items": nullable(prediction(signature))},
                "warnings": WARNINGS,
            },
        },
        "Problem": PROBLEM,
        "Tensors": TENSORS,
        "TensorError": {"type": "object", "required": ["error"], "properties": {"error": {"type": "string"}}},
    }


def row(fields: Schema) -> Schema:
    return {"type": "object", "required": list(fields), "properties": fields, "additionalProperties": False}


WARNINGS = {"type": "array", "items": {"type": "string"}}
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


def schema(field: Field) -> Schema:
    """What one value of a field may be. A range seen in training is told, not enforced."""
    made: Schema = {"type": TYPES[field.type]}
    lowest, highest = bounds(field)
    if lowest is not None and highest is not None:  # of the model's own dtype
        made |= {
            "format": {"float32": "float"}.get(field.dtype, field.dtype or "int64"),
            "minimum": lowest,
            "maximum": highest,
        }
    if field.closed and field.choices and not field.shape:
        made["enum"] = list(field.choices)
    for size in reversed(field.shape):
        made = {"type": "array", "items": made} | ({"minItems": size, "maxItems": size} if size >= 0 else {})
    about = " ".join(filter(None, (field.help, seen(field).capitalize())))
    if about:
        made["description"] = about
    return nullable(made) if field.nullable else made


def as_text(field: Field) -> Schema:
    """A field of a query or of a form, where nothing between two signs is null."""
    made = schema(replace(field, nullable=False))
    if field.shape:
        made = {"type": "string", "contentMediaType": "application/json", "contentSchema": made}
    return {"anyOf": [made, {"const": ""}]} if field.nullable else made


def nullable(made: Schema) -> Schema:
    if "null" in made["type"]:
        return made
    wider = {**made, "type": [made["type"], "null"]}
    if "enum" in made and None not in made["enum"]:
        wider["enum"] = [*made["enum"], None]
    return wider


def answer(signature: Signature) -> Schema:
    """R of DESIGN: prediction, and probabilities or a score where the model has them."""
    properties: Schema = {"prediction": prediction(signature), "warnings": WARNINGS}
    required = ["prediction"]
    if signature.probabilities:
        labels = {label(each): {"type": ["number", "null"]} for each in signature.classes}
        properties["probabilities"] = {"type": "object", "properties": labels, "required": list(labels)}
        required.append("probabilities")
    if signature.score:
        properties["score"] = {"type": ["number", "null"]}
        required.append("score")
    return {"type": "object", "required": required, "properties": properties}


def prediction(signature: Signature) -> Schema:
    if not signature.named:
        return output(signature.outputs[0], signature)
    properties = {each.name: output(each, signature) for each in signature.outputs}
    return {"type": "object", "properties": properties, "required": list(properties)}


def output(each: Output, signature: Signature) -> Schema:
    made: Schema = {"type": TYPES[each.type]}
    if each.type is FieldType.NUMBER:
        made = nullable(made)
    if signature.classes and not signature.named and not each.shape:
        return {"enum": list(signature.classes), "type": made["type"]}
    for _ in each.shape:
        made = {"type": "array", "items": made}
    return made

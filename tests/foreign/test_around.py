"""What is added around an app, and that the app's own answers stay as they are."""

from __future__ import annotations

import http.client
import os

import pytest

APP = """
import os, time
from flask import Flask, Response, redirect, request, send_file, stream_with_context
app = Flask(__name__)

@app.get("/")
def home():
    response = Response("hello")
    response.set_cookie("seen", "1")
    return response

@app.get("/old")
def old():
    return redirect("/")

@app.get("/scheme")
def scheme():
    return request.scheme

@app.get("/boom")
def boom():
    raise RuntimeError("inside")

@app.post("/size")
def size():
    return str(len(request.get_data()))

@app.get("/stream")
def stream():
    def parts():
        yield request.path
        while not os.path.exists("go"):
            time.sleep(0.01)
        yield " over"
    return Response(stream_with_context(parts()))

@app.get("/slow")
def slow():
    open("running", "w").close()
    while not os.path.exists("go"):
        time.sleep(0.01)
    return "slow"
"""


def test_a_plain_answer_passes_with_a_request_id(serving):
    server = serving(APP).ready()
    status, headers, body = server.ask("/", X_Request_ID="mine")
    assert (status, body, headers["x-request-id"]) == (200, b"hello", "mine")
    assert headers["set-cookie"] == "seen=1; Path=/"
    assert server.ask("/old")[:2][1]["location"] == "/"
    assert server.ask("/scheme", X_Forwarded_Proto="https")[2] == b"https"
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("HEAD", "/")
    response = connection.getresponse()
    assert (response.status, response.getheader("Content-Length"), response.read()) == (200, "5", b"")
    connection.close()


def test_an_exception_is_a_500_that_says_nothing_and_a_log_that_says_all(serving):
    server = serving(APP).ready()
    status, headers, body = server.ask("/boom")
    assert status == 500 and b"inside" not in body
    _, said = server.stop()
    assert "RuntimeError: inside" in said and headers["x-request-id"] in said


def test_an_exception_that_the_app_lets_through_is_one_too(serving):
    server = serving(APP + "app.config['PROPAGATE_EXCEPTIONS'] = True\n").ready()
    status, headers, body = server.ask("/boom")
    assert status == 500 and b"inside" not in body and headers["x-request-id"].encode() in body


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/health", "/ping"])
def test_health_is_ours_where_the_app_has_no_route_for_it(serving, path):
    server = serving(APP + f"app.add_url_rule({path!r}, view_func=lambda: 'theirs')\n").ready()
    assert server.get(path) == b"theirs"
    others = {"/livez", "/readyz", "/healthz", "/health", "/ping"} - {path}
    assert {server.get(each) for each in others} == {b"ok\n"}


def test_a_route_for_any_path_is_none_for_health(serving):
    server = serving(APP + "app.add_url_rule('/<path:any>', view_func=lambda any: 'page')\n").ready()
    assert server.get("/anything") == b"page"
    assert server.get("/readyz") == b"ok\n"


def test_an_app_whose_routes_nobody_knows_is_asked(serving):
    text = """
def app(environ, start_response):
    known = environ["PATH_INFO"] in ("/", "/health")
    start_response("200 OK" if known else "404 Not Found", [("Content-Type", "text/plain")])
    return [b"theirs"]
"""
    server = serving(text).ready()
    assert server.get("/health") == b"theirs"
    assert server.get("/readyz") == b"ok\n"
    assert server.ask("/other")[0] == 404


def test_an_app_that_is_asked_for_its_health_sees_nothing_of_who_has_no_key_and_may_fail(serving):
    text = """
asked = []
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ("/readyz", "/metrics"):
        raise KeyError(path)
    asked.append([path, environ["QUERY_STRING"], environ.get("HTTP_COOKIE", "")])
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(asked).encode()]
"""
    server = serving(text, api_key="secret").ready()
    assert server.ask("/readyz")[::2] == (200, b"ok\n")
    assert server.ask("/metrics")[0] == 401
    assert b"flaskship_build_info" in server.ask("/metrics", X_API_Key="secret")[2]
    for _ in range(3):
        assert server.ask("/health?drop=all", Cookie="a=b")[0] == 401
    assert server.ask("/", X_API_Key="secret")[2] == b"[['/health', '', ''], ['/', '', '']]"


def test_requests_are_counted_by_the_route_as_the_app_wrote_it(serving):
    server = serving(APP + "app.add_url_rule('/item/<int:n>', view_func=lambda n: str(n))\n").ready()
    server.get("/item/1"), server.get("/item/2"), server.get("/nothing")
    text = server.get("/metrics").decode()
    assert 'requests_total{model="sample",route="/item/<int:n>",method="GET",status="200"} 2.0' in text
    assert 'requests_total{model="sample",route="other",method="GET",status="404"} 1.0' in text


def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(serving):
    server = serving(APP, max_body=1000).ready()
    assert server.ask("/size", bytes(1000))[2] == b"1000"
    assert server.ask("/size", bytes(1001))[0] == 413
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    connection.request("POST", "/size", iter([bytes(600), bytes(600)]), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


def test_a_key_is_asked_for_everywhere_but_at_health(serving):
    server = serving(APP, api_key="secret").ready()
    status, headers, _ = server.ask("/")
    assert status == 401 and "Basic" in headers["www-authenticate"]
    assert server.ask("/", X_API_Key="secret")[0] == 200
    assert server.ask("/", Authorization="Bearer theirs", X_API_Key="secret")[0] == 200
    assert server.ask("/metrics")[0] == 401
    assert server.ask("/readyz")[0] == 200


def test_one_more_than_may_wait_is_told_to_come_again(serving, tmp_path):
    server = serving(APP, threads=1, max_queue=1).ready()
    running = server.started("/slow")
    server.until((tmp_path / "app0" / "running").exists)
    two = [server.started("/"), server.started("/")]
    server.until(lambda: any(each.done() for each in two))
    refused, waiting = sorted(two, key=lambda each: not each.done())
    assert refused.result()[0] == 429 and refused.result()[1]["retry-after"] == "1"
    assert server.ask("/livez")[0] == 200
    (tmp_path / "app0" / "go").touch()
    assert (running.result()[2], waiting.result()[2]) == (b"slow", b"hello")


def test_a_streamed_answer_is_not_held_back(serving, tmp_path):
    server = serving(APP).ready()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    connection.request("GET", "/stream")
    response = connection.getresponse()
    assert response.read1() == b"/stream"
    (tmp_path / "app0" / "go").touch()
    assert response.read() == b" over"
    connection.close()


def test_what_an_app_prints_goes_to_stderr_and_its_requests_there_when_asked(serving):
    server = serving(f"print('printed')\n{APP}", access_log="true").ready()
    server.get("/")
    _, said = server.stop()
    assert "printed" in said and '"path":"/"' in said


def test_a_websocket_and_a_lifespan_pass(serving):
    text = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["greeting"] = "hello "
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    message = await receive()
    await send({"type": "websocket.send", "text": scope["state"]["greeting"] + message["text"]})
"""
    server = serving(text, interface="asgi").ready()
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    connection.request("GET", "/", headers={**upgrade, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA=="})
    link = connection.sock
    assert link.recv(4096).startswith(b"HTTP/1.1 101")
    mask = os.urandom(4)
    link.sendall(b"\x81\x83" + mask + bytes(one ^ other for one, other in zip(b"you", mask, strict=False)))
    assert link.recv(11) == b"\x81\x09hello you"  # what ends it may come with it
    connection.close()


def test_gunicorn_serves_no_asgi_app(serving):
    code, said = serving("async def app(scope, receive, send): ...", interface="asgi", server="gunicorn").ended()
    assert code == 2 and "gunicorn serves no ASGI app" in said

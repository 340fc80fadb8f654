"""nginx.conf: what stands between users and replicas that come and go. For nginx 1.22 and later, run by anyone.

Directives: https://nginx.org/en/docs/dirindex.html
"""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from string import Template

from flaskship.deploy.service import Service
from flaskship.settings import Duration
from flaskship.target import Kind

PLAIN, SECURE = 8080, 8443  # ports in its container, which needs no rights for them
FOLDER = "/etc/nginx"
CERTIFICATE, KEY = "/etc/tls/certificate.pem", "/etc/tls/key.pem"
READY = "/v2/health/ready"  # of the Open Inference Protocol: the one health route that users reach
TRIES = 4  # replicas that get a request in each of two rounds: one that kills its worker goes no further
AGAIN = (502, 504)  # where all replicas that it knew failed: the request gets a second round before that is said
MARGIN = 5  # seconds that nginx waits longer than the app, whose own answer says more


class Text(Template):
    delimiter = "%"  # nginx has its own use for the dollar sign


CONF = Text("""\
# %{title}, behind nginx. Written by Flaskship.
worker_processes auto;
pid /tmp/nginx.pid;
error_log stderr error;

events {
    worker_connections 4096;
}

http {
    # The addresses of the replicas, asked of Docker's own DNS again after a second.
    resolver 127.0.0.11 valid=1s ipv6=off;
    resolver_timeout 30s;  # a question that is not answered is asked again every 5 s

    # Limits, the same as the server's and the app's.
    client_max_body_size %{body};
    client_header_timeout 10s;
    client_body_timeout %{timeout};
    send_timeout %{timeout};
    keepalive_timeout %{keep_alive};
    keepalive_requests 100000;
    large_client_header_buffers 4 32k;
%{limit}
    # Larger bodies are kept in a file until a replica has answered, since another one may have to be asked.
    client_body_buffer_size 128k;
    client_body_temp_path /tmp/client;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;

    gzip on;
    gzip_comp_level 4;
    gzip_min_length 1024;
    gzip_proxied any;
    gzip_vary on;
    gzip_types application/json application/problem+json application/javascript text/javascript text/css text/csv
               text/plain image/svg+xml;

    # The query is left out, as it may hold what people entered.
    log_format line escape=json
        '{"time":"$time_iso8601","request_id":"$id","client":"$remote_addr","method":"$request_method","path":"$uri",'
        '"status":$status,"bytes":$body_bytes_sent,"seconds":$request_time,"replicas":"$upstream_addr"}';
    access_log /dev/stdout line;
    server_tokens off;

    map $http_x_request_id $id { default $http_x_request_id; "" $request_id; }

    # A request that reached no replica in time is tried again; one that is late at a replica would be late at all.
    map $upstream_connect_time $unreached { "~[0-9]" @504; default @again; }
%{unsent}
    # Headers that the app has not set itself.
    map $upstream_http_x_content_type_options $nosniff { "" nosniff; }
    map $upstream_http_x_frame_options $frames { "" DENY; }
    map $upstream_http_referrer_policy $referrer { "" same-origin; }
    map "$status $upstream_http_retry_after" $retry { "~^(429|502|504) $" 1; }
    add_header X-Content-Type-Options $nosniff always;
    add_header X-Frame-Options $frames always;
    add_header Referrer-Policy $referrer always;
    add_header Retry-After $retry always;
%{redirect}
    server {
%{listen}
        # For those inside, who ask the replicas: http://%{upstream}:%{port}/metrics
        location ~ ^/(%{inside})/?$ {
            return 404;
        }

        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_set_header Host $http_host;
        proxy_set_header X-Request-ID $id;
        proxy_set_header X-Real-IP $remote_addr;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header X-Forwarded-Proto $scheme;

        # %{again}
        # Answers that the app streams come with X-Accel-Buffering: no, which nginx follows by itself.
        proxy_connect_timeout 1s;
        proxy_send_timeout %{timeout};
        proxy_read_timeout %{patience};
        proxy_socket_keepalive on;  # tells of a replica whose machine is gone while it computes
        proxy_next_upstream error timeout http_502 http_503%{anyway};
        proxy_next_upstream_tries %{tries};
        proxy_next_upstream_timeout 10s;

        location / {
%{limited}            set $replicas http://%{upstream}:%{port};  # a variable: the name is resolved while nginx runs
            proxy_pass $replicas;
        }

        # All replicas that were known have failed. Their addresses may be two seconds old, and others have come since:
        # a resolver of its own, with a memory of its own, asks DNS anew.
        location @again {
            resolver 127.0.0.11 valid=1s ipv6=off;
            proxy_pass $replicas;
            error_page 502 @502;
            error_page 504 @504;
        }
        recursive_error_pages on;
        error_page 502 = %{gone};
        error_page 504 = $unreached;

        # What nginx itself answers, in the app's words.
%{problems}
    }
}
""")

OF_MODEL = {
    "inside": "metrics|livez|readyz|healthz|health|ping",
    "again": "A prediction changes nothing: where a replica is gone or stops, another one is asked, POST or not.",
    "anyway": " non_idempotent",
    "gone": "@again",
    "unsent": "",
}
OF_APP = {
    "inside": "metrics|livez|readyz",  # the others may be routes of its own
    "again": "Another replica is asked where none has seen the request, or where asking twice changes nothing.",
    "anyway": "",
    "gone": "$unsent",
    "unsent": '    map $upstream_connect_time $unsent { "~[0-9]" @502; default @again; }\n',
}

LISTEN = f"""\
        listen {PLAIN};
"""

LISTEN_TLS = f"""\
        listen {SECURE} ssl http2;
        ssl_certificate {CERTIFICATE};
        ssl_certificate_key {KEY};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ciphers ECDHE+AESGCM:ECDHE+CHACHA20;
        ssl_session_cache shared:TLS:10m;
        ssl_session_timeout 1d;
        ssl_session_tickets off;
        error_page 497 =308 https://$http_host$request_uri;  # plain HTTP on this port
"""

HSTS = "    add_header Strict-Transport-Security max-age=31536000 always;\n"
REDIRECT = f"""
    server {{
        listen {PLAIN};
        return 308 https://$host$request_uri;
    }}
"""

LIMIT = Text("""
    # Of one client %{rate} requests a second, and as many as %{burst} at once.
    limit_req_zone $binary_remote_addr zone=clients:10m rate=%{rate}r/s;
    limit_req_status 429;
""")
LIMITED = "            limit_req zone=clients burst=%{burst} nodelay;\n"

PROBLEM = Text("""\
%{page}        location @%{status} {
            default_type application/problem+json;
            return %{status} '%{body}';
        }""")


def render(service: Service, *, upstream: str = "api") -> str:
    """The text of nginx.conf. `upstream` is the DNS name that gives the address of every replica."""
    limits = {"rate": service.rate_limit, "burst": max(20, 2 * service.rate_limit)}  # a page loads a dozen files
    return CONF.substitute(
        title=f"{service.name} {service.version}".strip(),
        body=int(service.max_body),
        timeout=_seconds(service.timeout),
        patience=_seconds(Duration(service.timeout + MARGIN)),
        keep_alive=_seconds(service.keep_alive),
        limit=LIMIT.substitute(limits) if service.rate_limit else "",
        limited=Text(LIMITED).substitute(limits) if service.rate_limit else "",
        redirect=HSTS + REDIRECT if service.tls else "",
        listen=LISTEN_TLS if service.tls else LISTEN,
        upstream=upstream,
        **(OF_APP if service.kind is Kind.APP else OF_MODEL),
        port=service.port,
        tries=TRIES,
        problems="\n".join(_problem(*each) for each in _problems(service)),
    )


def _problems(service: Service) -> list[tuple[int, str, str]]:
    """Status, type and detail, as flaskship.web.problem words them."""
    most = f"The body has more than the {int(service.max_body)} bytes that are read. Raise max_body or send less."
    found = [
        (404, "", "There is nothing at this address."),
        (413, "Body too large", most),
        (502, "", "No replica of the model answers. Retry in a moment."),
        (504, "", f"No replica of the model answered within {service.timeout:g} s."),
    ]
    if service.rate_limit:
        said = f"One client may ask {service.rate_limit} times a second. Retry in a moment."
        found.insert(2, (429, "Too many requests", said))
    return found


def _problem(status: int, title: str, detail: str) -> str:
    kind = f"/problems/{title.lower().replace(' ', '-')}" if title else "about:blank"
    body = {"type": kind, "title": title or HTTPStatus(status).phrase, "status": status, "detail": detail}
    page = "" if status in AGAIN else f"        error_page {status} @{status};\n"
    return PROBLEM.substitute(page=page, status=status, body=json.dumps(body, separators=(",", ":")))


def _seconds(duration: Duration) -> str:
    return f"{math.ceil(duration)}s"

"""A plan as a Dockerfile: the same files under the same names, for who builds with Docker or wants changes.

Dependencies come before code, pinned by the lock; it needs no BuildKit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from flaskship.bundle import CODE
from flaskship.cache import MANIFEST
from flaskship.image.base import Base
from flaskship.plan import BUNDLE, PREFIX, UNWANTED, USER, Plan, site

BASE_TAR = "base.tar.gz"
PROXY_TAR = "base.tar"
PROXY_COMMAND = ("nginx", "-e", "stderr", "-g", "daemon off;")
OWN = "/own"  # of a stage: what an app may write to
NOTHING = "-name INSTALLER -o -name REQUESTED -o -name direct_url.json"


def render(plan: Plan, base: Base) -> str:
    """The text of `api/Dockerfile`. Beside it lie requirements.txt, environment/, flaskship/ and bundle/."""
    stages = (_base(base), _wheels(plan), _code(plan), *([_app()] if plan.app else []), _final(plan))
    return "\n".join(("# Made by flaskship eject. Build it: docker build -t NAME api", *stages))


def nginx(reference: str) -> str:
    """The text of `nginx/Dockerfile`, on the image called `reference`, or where it is "" on the tar beside it."""
    base = f"FROM {reference}\n" if reference else f"FROM scratch\nADD {PROXY_TAR} /\nENV PATH=/usr/sbin:/usr/bin\n"
    return f"""\
{base}COPY nginx.conf /etc/nginx/nginx.conf
USER {USER}:{USER}
STOPSIGNAL SIGQUIT
CMD {json.dumps(PROXY_COMMAND)}
"""


def builder(base: Base) -> str:
    """An image with pip, a shell, and the Python that the base has."""
    return f"python:{base.contents.python}-slim"


def _base(base: Base) -> str:
    if base.pin:
        return f"ARG BASE={base.pin}\nARG BUILDER={builder(base)}\nFROM ${{BASE}} AS base\n"
    return f"""\
# Has pip, a shell, and the Python {base.contents.python} that the base has.
ARG BUILDER={builder(base)}
FROM scratch AS base
ADD {BASE_TAR} /
"""


def _wheels(plan: Plan) -> str:
    """A virtual environment, with the packages of the lock and nothing of the machine that installed them."""
    return f"""\
FROM ${{BUILDER}} AS wheels
COPY requirements.txt /tmp/requirements.txt
RUN python3 -m venv --without-pip {PREFIX} \\
 && python3 -m pip --python {PREFIX}/bin/python install --no-cache-dir --no-compile --no-deps --require-hashes \\
    -r /tmp/requirements.txt \\
 && (python3 -m compileall -q --invalidation-mode unchecked-hash -x '/tests/' {PREFIX}/lib || true) \\
 && find {PREFIX} \\( {NOTHING} \\) -delete \\
 && rm -rf {" ".join(f"{site(plan.python)}/{each}" for each in UNWANTED)} \\
 && rm -f {PREFIX}/lib64 {PREFIX}/pyvenv.cfg {PREFIX}/bin/python* {PREFIX}/bin/[aA]ctivate* \\
 && find {PREFIX} -type d -empty -delete
"""


def _code(plan: Plan) -> str:
    return f"""\
FROM ${{BUILDER}} AS code
COPY environment {PREFIX}
COPY flaskship {site(plan.python)}/flaskship
RUN mkdir -p {PREFIX}/bin && ln -s {plan.executable} {PREFIX}/bin/python && ln -s python {PREFIX}/bin/python3 \\
 && python3 -m compileall -q --invalidation-mode unchecked-hash {site(plan.python)}/flaskship
"""


def _app() -> str:
    """An app's own files, which whoever runs it may write to."""
    return f"""\
FROM ${{BUILDER}} AS app
COPY bundle/{CODE} {OWN}/{CODE}
RUN find {OWN} \\( -type d -o -perm -100 \\) -exec chmod 775 {{}} + \\
 && find {OWN} -type f ! -perm -100 -exec chmod 664 {{}} +
"""


def _bundle(plan: Plan) -> str:
    if not plan.app:
        return f"COPY bundle {BUNDLE}"
    own = f"COPY --from=app --chown={USER}:0 {OWN} {BUNDLE}"  # into a folder that is there, and stays root's
    return f"COPY bundle/{MANIFEST} {BUNDLE}/{MANIFEST}\n{own}"


def _final(plan: Plan) -> str:
    health = plan.health
    times = f"--interval={health.interval:g}s --timeout={health.timeout:g}s --start-period={health.start_period:g}s"
    return f"""\
FROM base
COPY --from=wheels {PREFIX} {PREFIX}
COPY --from=code {PREFIX} {PREFIX}
{_bundle(plan)}
{_pairs("ENV", plan.env)}
{_pairs("LABEL", plan.labels)}
EXPOSE {plan.port}
USER {plan.user}
WORKDIR {plan.workdir}
STOPSIGNAL {plan.stop_signal}
HEALTHCHECK {times} --retries={health.retries} CMD {json.dumps(list(health.command))}
ENTRYPOINT {json.dumps(list(plan.entrypoint))}
"""


def _pairs(verb: str, pairs: Mapping[str, str]) -> str:
    """Each on a line; a `$` stays one."""
    lines = (f"    {name}={_quoted(value)}" for name, value in pairs.items())
    return f"{verb} \\\n" + " \\\n".join(lines)


def _quoted(value: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("$", "\\$"), ("\n", "\\n")):
        value = value.replace(plain, escaped)
    return f'"{value}"'

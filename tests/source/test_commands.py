"""What a command line starts."""

from __future__ import annotations

import pytest

from flaskship.source import Interface, commands
from flaskship.source.commands import Start

WSGI, ASGI = Interface.WSGI, Interface.ASGI


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("gunicorn app:app", Start(module="app", object="app", interface=WSGI)),
        ("gunicorn site.wsgi", Start(module="site.wsgi", object="application", interface=WSGI)),
        ("gunicorn -w 4 --timeout=120 -b :80 a:b", Start(module="a", object="b", interface=WSGI, port=80)),
        ("gunicorn --preload app:app --log-file -", Start(module="app", object="app", interface=WSGI)),
        ("gunicorn 'app:create_app(\"x\")'", Start(module="app", object='create_app("x")', interface=WSGI)),
        ("gunicorn app:app --chdir api", Start(module="app", object="app", cwd="api", interface=WSGI)),
        ("gunicorn --pythonpath src app:app", Start(module="app", object="app", paths=("src",), interface=WSGI)),
        ("gunicorn -k uvicorn.workers.UvicornWorker m:app", Start(module="m", object="app", interface=ASGI)),
        ("uvicorn main:app --host 0.0.0.0 --port 8000", Start(module="main", object="app", interface=ASGI, port=8000)),
        ("uvicorn --factory main:make", Start(module="main", object="make()", interface=ASGI)),
        ("python3 -m uvicorn main:app --reload", Start(module="main", object="app", interface=ASGI)),
        ("hypercorn main:app", Start(module="main", object="app")),
        ("waitress-serve --port=80 --call pkg:make", Start(module="pkg", object="make()", interface=WSGI, port=80)),
        ("uwsgi --http :80 --module wsgi:app --master", Start(module="wsgi", object="app", interface=WSGI)),
        ("uwsgi --wsgi-file a.py --callable app", Start(file="a.py", object="app", interface=WSGI)),
        ("python -u ./app.py --debug", Start(file="./app.py")),
        ("python -m site", Start(module="site")),
        ("FLASK_APP=api.py flask run -p 80", Start(file="api.py", port=80)),
        ("flask --app site:make run --host=0.0.0.0", Start(module="site", object="make")),
        ("flask run", Start(module="app")),
        ("fastapi run app/main.py --port 80", Start(file="app/main.py", interface=ASGI, port=80)),
        ("poetry run gunicorn app:app", Start(module="app", object="app", interface=WSGI)),
        ("conda run --no-capture-output -n env python app.py", Start(file="app.py")),
        ("cd src && python app.py", Start(file="app.py", cwd="src")),
        ("python manage.py migrate && gunicorn s.wsgi", Start(module="s.wsgi", object="application", interface=WSGI)),
        ('sh -c "exec gunicorn app:app"', Start(module="app", object="app", interface=WSGI)),
        ("export FLASK_APP=x.py; flask run", Start(file="x.py")),
        ("streamlit run app.py", Start(script="Streamlit")),
        ("A=1", None),
        ("A=1; python app.py", Start(file="app.py")),
        ("nginx -g 'daemon off;'", None),
        ("echo 'not closed", None),
        ("", None),
    ],
)
def test_what_a_command_starts(text: str, start: Start | None) -> None:
    assert commands.line(text, {}) == start


def test_a_script_is_read_for_what_it_starts_last() -> None:
    text = "#!/bin/bash\n# gunicorn old:app\ncd /app\npython train.py\nexec gunicorn \\\n  -w 2 app:app\n"
    found = commands.line("bash ./start.sh", {}, {"./start.sh": text}.get)
    assert found == Start(module="app", object="app", cwd="/app", interface=WSGI, before=("python train.py",))

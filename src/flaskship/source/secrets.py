"""Files that look like secrets: by their names, and by what the small ones hold."""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Iterable, Iterator, Sequence

from flaskship.source.code import Module
from flaskship.source.tree import Tree
from flaskship.source.values import written

NAMES = re.compile(
    r"(?i)^(\.env(\..+|-.+|rc)?|.+\.env|.*\.(key|p12|pfx|jks|keystore|ppk|p8|kdbx|ovpn)|id_(rsa|dsa|ecdsa|ed25519)"
    r"|\.netrc|_netrc|\.pypirc|\.npmrc|\.pgpass|\.my\.cnf|\.htpasswd|\.git-credentials|\.dockercfg|kubeconfig.*"
    r"|.*credentials?\.(json|ya?ml|ini|csv|toml)|client_secrets?.*\.json|secrets?\.(json|ya?ml|toml|ini|env)"
    r"|service[_-]?account.*\.json|.*-firebase-adminsdk-.*\.json|terraform\.tfstate.*|\.boto|\.s3cfg|\.vault-token)$"
)
EXAMPLES = re.compile(r"(?i)(example|sample|template|dist|default|defaults|tmpl)s?(\.env)?$")
FOLDERS = {".aws", ".ssh", ".gnupg", ".kube", ".azure", ".gcloud"}
PEM = re.compile(r"(?i)\.(pem|crt|cer|cert)$")
READ = re.compile(r"(?i)(\.(asc|json|txt|pem|crt|cer|conf|cfg|ini|ya?ml|toml|properties|pub|sh|py|xml)|^[^.]+)$")
PRIVATE = re.compile(
    r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----\s+[A-Za-z0-9+/=\\]|^PuTTY-User-Key-File-", re.MULTILINE
)
ACCOUNT = re.compile(
    r"\"type\"\s*:\s*\"(service_account|authorized_user)\"|\"(client_secret|aws_secret_access_key)\"\s*:\s*\"\w"
)
KEYS = re.compile(
    r"\b(AKIA[0-9A-Z]{16}|[sr]k_(live|test)_\w{20,}|AIza[\w-]{35}|gh[ps]_\w{36}|xox[abp]-[\w-]{20,}|hf_\w{30,}"
    r"|sk-[\w-]{32,}|SG\.[\w-]{20,}\.[\w-]{20,})\b"
)
SIGNS = re.compile(r"(?i)(^|\W)secret_key\W*$")  # app.secret_key, app.config["SECRET_KEY"]
RANDOM = re.compile(r"^(os\.urandom|secrets\.\w+|uuid\.uuid[14]|random\.\w+|Fernet\.generate_key)$")
LARGEST = 64 << 10  # bytes of a file that is looked into


def of(tree: Tree) -> dict[str, str]:
    """Path -> why it looks like a secret."""
    found = {}
    for path, size in tree.files.items():
        name = posixpath.basename(path)
        if FOLDERS.intersection(path.split("/")[:-1]):
            found[path] = "a folder of credentials"
        elif NAMES.match(name) and not EXAMPLES.search(name):
            found[path] = "its name"
        elif size <= LARGEST and READ.search(name) and not path.endswith(".py") and (why := held(tree, path)):
            found[path] = why
    return found


def held(tree: Tree, path: str) -> str:
    """What in a file is secret; "" where nothing is seen."""
    text = tree.read(path, LARGEST)
    if PRIVATE.search(text):
        return "a private key in it"
    return "an account's key in it" if path.endswith(".json") and ACCOUNT.search(text) else ""


def in_code(tree: Tree, paths: Iterable[str]) -> Iterator[str]:
    """Code that holds a key: it goes in, since the app needs it, and is told of. A sentence each."""
    for path in paths:
        if path.endswith(".py") and tree.files[path] <= LARGEST:
            text = tree.read(path, LARGEST)
            if found := KEYS.search(text) or PRIVATE.search(text):
                line = text.count("\n", 0, found.start()) + 1
                yield f"{path}, line {line} holds what looks like a key, and goes in: --env is the place for it."


def remade(modules: Sequence[Module]) -> Iterator[str]:
    """A key for sessions that every process makes anew: what one has signed, no other takes. A sentence each."""
    for module in modules:
        for node in module.nodes:
            if isinstance(node, ast.Assign):
                named = any(SIGNS.search(written(each)) for each in node.targets)
                random = any(
                    isinstance(each, ast.Call) and RANDOM.match(module.dotted(each.func))
                    for each in ast.walk(node.value)
                )
                if named and random:
                    yield (
                        f"{module.path}, line {node.lineno} makes a new secret key at each start: sessions end with it,"
                        " and several workers or containers do not take each other's."
                    )

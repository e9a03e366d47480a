"""The files under ``examples/deploy/``: parsed, explained, and run as far as a machine without Docker and root can."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import ssl
import subprocess
import sys
from contextlib import closing, contextmanager

import httpx
import pytest
import yaml
from running_example import EXAMPLES, START_SECONDS, environment, listens

from helpers.certificates import self_signed
from helpers.engines_base import free_port, wait_until
from helpers.support import echo
from oauth_mw import OAuthMiddleware, admin, open_store

DEPLOY = EXAMPLES / "deploy"
HOST = "api.example.com"


def read(name):
    return (DEPLOY / name).read_text(encoding="utf-8")


def variables(text):
    """Those of a file of NAME=VALUE."""
    return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))


def unit():
    parser = configparser.RawConfigParser()
    parser.optionxform = str
    parser.read_string(read("reports.service"))
    return parser


def instructions():
    """Those of the Dockerfile, each with its arguments; none of them is written twice, except COPY."""
    return dict(line.split(" ", 1) for line in read("Dockerfile").splitlines() if line and not line.startswith("#"))


COMPOSE = yaml.safe_load(read("compose.yaml"))
SERVICE = COMPOSE["services"]["reports"]
OPTIONS = {
    "Dockerfile": variables(instructions()["ENV"]),
    "compose.yaml": SERVICE["environment"],
    "reports.service": variables(read("reports.env")),
}
COMMANDS = {
    "Dockerfile": json.loads(instructions()["CMD"]),
    "compose.yaml": json.loads(instructions()["CMD"]),
    "reports.service": shlex.split(unit()["Service"]["ExecStart"]),
}
# What only opens or closes a block.
STRUCTURE = re.compile(r"\s*([\w/ ]+ ?\{|\}|\[\w+\]|\w+:|)")


@pytest.mark.parametrize("name", ["Dockerfile", "compose.yaml", "reports.service", "reports.env", "nginx.conf"])
def test_each_line_has_a_comment_above_it(name):
    lines = read(name).splitlines()

    for before, line in zip(["", *lines], lines, strict=False):
        assert STRUCTURE.fullmatch(line) or "#" in (before.strip()[:1], line.strip()[:1]), line


@pytest.mark.parametrize("name", OPTIONS)
def test_the_options_of_the_environment_are_right(name):
    options = OPTIONS[name]

    assert OAuthMiddleware.from_config(echo, {**options, "OAUTH_MW_STORE": "memory://"})


def test_folders_are_mounted_and_no_file():
    volumes = [
        volume.split(":")[1] for service in COMPOSE["services"].values() for volume in service.get("volumes", ())
    ]
    mounted = [instructions()["VOLUME"], *volumes]
    state = f"/var/lib/{unit()['Service']['StateDirectory']}"

    assert mounted == ["/data", "/var/lib/postgresql/data"]
    assert OPTIONS["Dockerfile"]["OAUTH_MW_STORE"] == "sqlite:////data/oauth.db"
    assert OPTIONS["reports.service"]["OAUTH_MW_STORE"] == f"sqlite:///{state}/oauth.db"


def test_compose_names_what_is_there():
    services, build = COMPOSE["services"], SERVICE["build"]

    assert (DEPLOY / build["context"] / build["dockerfile"]).resolve() == DEPLOY / "Dockerfile"
    assert SERVICE["depends_on"].keys() <= services.keys() and SERVICE["ports"] == ["127.0.0.1:8080:8080"]
    assert SERVICE["environment"]["PGPASSWORD"] == services["db"]["environment"]["POSTGRES_PASSWORD"]
    assert [each.split(":")[0] for each in services["db"]["volumes"]] == [*COMPOSE["volumes"]]


def test_compose_waits_while_the_first_start_creates_the_database():
    check = COMPOSE["services"]["db"]["healthcheck"]

    assert int(check["interval"].removesuffix("s")) * check["retries"] >= 60


@contextmanager
def running(command, folder, env):
    """A program with its output in ``folder``."""
    with (folder / "output").open("ab") as output:
        process = subprocess.Popen(command, cwd=folder, env=env, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(START_SECONDS)


@contextmanager
def serving(name, folder, store_url):
    """The port of gunicorn, started with the words of the file ``name``, and a client of the store."""
    shutil.copy(DEPLOY / "app.py", folder)
    with closing(open_store(store_url, create=True)) as store:
        client, secret = admin.add_client(store, "Nightly report job", scope="reports:read")
    port = free_port()
    words = [re.sub(r"^--bind=(.*):8080$", f"--bind=127.0.0.1:{port}", word) for word in COMMANDS[name][1:]]
    shell = {name: value for name, value in environment(folder).items() if not name.startswith("OAUTH_MW_")}
    env = {**shell, **OPTIONS[name], "OAUTH_MW_STORE": store_url}
    with running([sys.executable, "-m", "gunicorn", *words], folder, env) as process:
        wait_until(lambda: process.poll() is not None or listens(port), name, START_SECONDS)
        yield port, (client.client_id, secret)


def check_answers(call, client):
    """The app is behind the middleware: ``call`` sends a request."""
    refused, public = call("GET", "/reports"), call("GET", "/health")
    assert (refused.status_code, refused.headers["WWW-Authenticate"][:6]) == (401, "Bearer")
    assert (public.status_code, public.text) == (200, "ok\n")
    issued = call("POST", "/oauth/token", data={"grant_type": "client_credentials"}, auth=client).json()
    answer = call("GET", "/reports", headers={"Authorization": f"Bearer {issued['access_token']}"})
    assert (answer.status_code, answer.text) == (200, f"reports for {client[0]}\n")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "store_kind"),
    [("Dockerfile", "sqlite"), ("compose.yaml", "postgresql"), ("reports.service", "sqlite")],
)
def test_the_app_is_served_as_the_file_says(name, tmp_path, store_url):
    with serving(name, tmp_path, store_url) as (port, client):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=START_SECONDS) as caller:
            check_answers(caller.request, client)


# nginx

MAIN = """
daemon off;
user root;
pid nginx.pid;
error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include site.conf;
}
"""


def site(folder, app_port, http, https):
    """The site, with ports and a certificate of the test's own in the place of those that need root."""
    certificate = self_signed(folder / "both.pem", HOST)
    text = read("nginx.conf")
    own = {"listen 80": f"listen 127.0.0.1:{http}", "listen 443": f"listen 127.0.0.1:{https}"}
    own |= {f"/etc/nginx/tls/{HOST}.{end}": str(certificate) for end in ("pem", "key")}
    for before, after in {**own, "127.0.0.1:8080": f"127.0.0.1:{app_port}"}.items():
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.fixture
def proxied(tmp_path, store_url):
    """Send a request through nginx to the app; a client of its store, and the port of plain http."""
    binary = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    assert binary, ".ci/packages.txt names nginx"
    http, https = free_port(), free_port()
    with serving("reports.service", tmp_path, store_url) as (port, client):
        (tmp_path / "site.conf").write_text(site(tmp_path, port, http, https))
        (tmp_path / "main.conf").write_text(MAIN if os.geteuid() == 0 else MAIN.replace("user root;\n", ""))
        command = [binary, "-p", str(tmp_path), "-c", "main.conf", "-e", "stderr"]
        context = ssl.create_default_context(cafile=tmp_path / "both.pem")
        with (
            running(command, tmp_path, os.environ) as process,
            httpx.Client(verify=context, trust_env=False, timeout=START_SECONDS) as caller,
        ):
            wait_until(lambda: process.poll() is not None or listens(https), "nginx", START_SECONDS)

            def call(method, path, headers=None, **more):
                named = {"headers": {"Host": HOST, **(headers or {})}, "extensions": {"sni_hostname": HOST}}
                return caller.request(method, f"https://127.0.0.1:{https}{path}", **named, **more)

            yield call, client, http


@pytest.mark.servers
def test_nginx_passes_tokens_challenges_and_paths_as_they_are(proxied):
    call, client, http = proxied
    issued = call("POST", "/oauth/token", data={"grant_type": "client_credentials"}, auth=client).json()
    token = {"Authorization": f"Bearer {issued['access_token']}"}

    check_answers(call, client)
    assert call("GET", "//reports", headers=token).status_code == 400  # not merged before the rules see it
    assert call("GET", "/reports", headers={**token, "X-Vhm-Root": "/x"}).status_code == 200  # else refused with 400
    assert (
        httpx.get(f"http://127.0.0.1:{http}/health", headers={"Host": HOST}, trust_env=False, timeout=60).status_code
        == 403
    )

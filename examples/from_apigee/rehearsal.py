"""Send the requests of Apigee's page about this grant, with curl, and compare what two servers answer.

python examples/from_apigee/rehearsal.py https://OLD export.json --save before.json
python examples/from_apigee/rehearsal.py https://NEW export.json --compare before.json

The files are those that `oauth-mw import apigee` takes. A saved file has statuses and members, but no secret or token.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

# As the page prints them, but for the credentials. The last one puts grant_type where the text of the page says.
TOKEN = r"""
curl -H "Content-Type: application/x-www-form-urlencoded" \
  -H "Authorization: Basic LOGIN" \
  -X POST "https://apitest.acme.com/oauth/token" \
  -d "grant_type=client_credentials"
"""
ACCESSTOKEN = r"""
curl -i \
  -H 'Content-Type: application/x-www-form-urlencoded' \
  -X POST 'https://docs-test.apigee.net/oauth/accesstoken' \
  -d 'grant_type=client_credentials' \
  -H 'Authorization: Basic LOGIN'
"""
PROTECTED = r"""
curl -H "Authorization: Bearer TOKEN" \
  http://myorg-test.apigee.net/v0/weather/forecastrss?w=12797282
"""
IN_QUERY = TOKEN.replace("/oauth/token", "/oauth/token?grant_type=client_credentials").replace(
    '-d "grant_type=client_credentials"', '-d ""'
)
HOST = re.compile(r"https?://[^/]+")
MEMBER = "member "
SHOWN = ("token_type", "scope", "error", "ErrorCode", "errorcode")  # members whose values are compared, too


def main():
    parser = argparse.ArgumentParser(description="Send the requests of Apigee's page, and compare the answers.")
    parser.add_argument("url", metavar="URL", help="of the server, without a path: https://api.example.com")
    parser.add_argument(
        "files", metavar="FILE", type=Path, nargs="+", help="apps as Apigee's management API returns them"
    )
    parser.add_argument("--token-path", metavar="PATH", help="instead of the two on the page")
    parser.add_argument("--call", action="append", metavar="'METHOD PATH'", type=request, help="instead of the page's")
    parser.add_argument("--save", metavar="FILE", type=Path, help="save the verdicts")
    parser.add_argument("--compare", metavar="FILE", type=Path, help="show only what differs from saved verdicts")
    given = parser.parse_args()
    keys = dict(pair for file in given.files for pair in read_keys(json.loads(file.read_text(encoding="utf-8"))))
    if not keys:
        parser.error("there is no consumerKey in these files")
    calls = given.call or [request("GET /v0/weather/forecastrss?w=12797282")]
    found = dict(play(given.url.rstrip("/"), keys, given.token_path, calls))
    if given.save:
        given.save.write_text(json.dumps(found, indent=1), encoding="utf-8")
    if not given.compare:
        for name, each in found.items():
            members = [what.removeprefix(MEMBER) for what in each if what.startswith(MEMBER)]
            print(" ".join([f"{name}: {each['status']}", *members]))
        return 0
    differing = differences(json.loads(given.compare.read_text(encoding="utf-8")), found)
    for difference, names in differing.items():
        shown = [names[0], f"{len(names) - 1} more"] if difference.startswith(MEMBER) and len(names) > 2 else names
        print(f"{difference}: {'; '.join(shown)}")
    print(f"{len(found)} answers, {len(differing) or 'no'} difference{'s' * (len(differing) != 1)}")
    return 1 if differing else 0


def request(text):
    method, path = text.split()
    return method, path


def read_keys(document):
    """Ids and secrets, wherever they stand in a document."""
    if isinstance(document, dict) and "consumerKey" in document:
        yield document["consumerKey"], document.get("consumerSecret", "")
    elif isinstance(document, dict | list):
        for each in document.values() if isinstance(document, dict) else document:
            yield from read_keys(each)


def play(url, keys, token_path, calls):
    """Names and verdicts of the requests: those of every key, and two that no server accepts."""
    lines = {"token": TOKEN, "accesstoken": ACCESSTOKEN, "token, in the query": IN_QUERY}
    if token_path:
        lines = {name: re.sub(r"/oauth/(access)?token", token_path, line) for name, line in lines.items()}
    for key, secret in keys.items():
        token = "none"
        for name, line in lines.items():
            status, body = curl(line, url, f"Authorization: Basic {login(key, secret)}")
            token = body.get("access_token", token)
            yield f"{key} {name}", verdict(status, body)
        for call in calls:
            status, body = curl(protected(*call), url, f"Authorization: Bearer {token}")
            yield f"{key} {' '.join(call)}", verdict(status, {} if status < 400 else body)
    key = next(iter(keys))
    yield "a wrong secret", verdict(*curl(lines["token"], url, f"Authorization: Basic {login(key, 'not its secret')}"))
    yield "a wrong token", verdict(*curl(protected(*calls[0]), url, "Authorization: Bearer not-a-token"))


def login(key, secret):
    return base64.b64encode(f"{key}:{secret}".encode()).decode()


def protected(method, path):
    line = PROTECTED.replace("/v0/weather/forecastrss?w=12797282", shlex.quote(path))
    return line if method == "GET" else line.replace("curl", f"curl -X {shlex.quote(method)}")


def curl(line, url, header):
    """Status and JSON members of the answer to a line. curl reads the header with the credential from its input."""
    words = [url + HOST.sub("", word) if HOST.match(word) else word for word in shlex.split(line.replace("\\\n", " "))]
    words = ["@-" if word.startswith("Authorization:") else word for word in words]
    options = ["-sS", "--globoff", "--max-time", "30", "-w", "\n%{http_code}"]
    ended = subprocess.run([*words, *options], input=header, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(ended.stderr.strip())
    answer, _, status = ended.stdout.rpartition("\n")
    while answer.startswith("HTTP/"):  # -i; proxies may have sent another head before
        answer = answer.partition("\n\n")[2]
    try:
        body = json.loads(answer)
    except ValueError:
        body = {}
    return int(status), body if isinstance(body, dict) else {}


def verdict(status, body):
    """The status, and each member with its kind, or its value."""
    body = {**body, **(body["fault"].get("detail", {}) if isinstance(body.get("fault"), dict) else {})}
    kinds = {name: value if name in SHOWN else type(value).__name__ for name, value in sorted(body.items())}
    return {"status": status, **{f"{MEMBER}{name}": kind for name, kind in kinds.items()}}


def differences(before, after):
    """What differs, and the requests whose answers differ so."""
    found = {}
    for name in {**before, **after}:
        if name not in before or name not in after:
            found.setdefault("not sent before" if name in after else "not sent now", []).append(name)
            continue
        old, new = before[name], after[name]
        for what in {**old, **new}:
            if old.get(what) != new.get(what):
                difference = f"{what}: {old.get(what, 'none')} before, {new.get(what, 'none')} now"
                found.setdefault(difference, []).append(name)
    return found


if __name__ == "__main__" and main():
    sys.exit(1)

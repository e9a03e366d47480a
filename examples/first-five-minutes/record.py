"""Record the first five minutes: type each command into a real shell, and print what is shown.

    python examples/first-five-minutes/record.py > examples/first-five-minutes/recording.txt

The app is hello.py of the top README. Ids, secrets, tokens and the port differ each time, so in the recording they are
constants.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"
PORT = "8080"
SCRIPT = """\
# hello.py is the Flask app of the README, behind OAuthMiddleware. What does it need for each path?
oauth-mw check hello:app
# In another shell it is served: flask --app hello run --port 8080. Without a token it is closed.
curl http://127.0.0.1:8080/reports
# Register a client. The secret is shown once.
oauth-mw --store sqlite:///oauth.db client add "Nightly report job" --scope reports:read
# As the client: request a token, and call the app with it.
curl -u ID:SECRET -d grant_type=client_credentials http://127.0.0.1:8080/oauth/token
curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports
# Why may it not write reports?
curl -X POST -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports
oauth-mw explain POST /reports --config hello:app --client ID
# Disable the client: its token is refused at the next request.
oauth-mw --store sqlite:///oauth.db client disable "Nightly report job"
curl -H "Authorization: Bearer TOKEN" http://127.0.0.1:8080/reports
"""
# What is read in the output of a command for later ones, and what the recording shows in its place.
READ = {
    "ID": (r"client_id +(\w+)", "k3v9x2m7q4t8w5z1n6b0"),
    "SECRET": (r"client_secret +(\w+)", "7Kq2vX9mB4tR8wZ1nC5yLp3Hs6Jd0Fg7Ua2Ee9Wi4Qo"),
    "TOKEN": (r'"access_token": "([\w-]+)"', "awtwJc5Qm2Vx8Rz4Tn7Lk1Pb6Hd9Gf3Sy0Ue5Wa8Ic2Ox7M"),
}


def environment(folder: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OAUTH_MW_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**kept, "PATH": path, "HOME": folder, "COLUMNS": "80", "NO_COLOR": "1", "NO_PROXY": "*", "no_proxy": "*"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def wait_for(port: int) -> None:
    for _ in range(300):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"nothing listens on port {port}")


def typed(line: str, folder: str) -> str:
    """What a command prints on both its streams."""
    shell = ["bash", "-c", line.replace("curl ", "curl -sS ")]
    ended = subprocess.run(
        shell, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if ended.returncode:
        raise RuntimeError(f"{line}: {ended.stdout}")
    return ended.stdout


@contextmanager
def served(folder: str) -> Iterator[str]:
    """The README's app on a free port; which one."""
    (hello,) = re.findall(r"```python\n(# hello\.py\n.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    Path(folder, "hello.py").write_text(hello, encoding="utf-8")
    port = str(free_port())
    command = ["flask", "--app", "hello", "run", "--port", port]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=folder, env=environment(folder), **quiet) as server:
        try:
            wait_for(int(port))
            yield port
        finally:
            server.terminate()


def record() -> str:
    """The recording, as text: comments, commands after ``$``, and what they print."""
    seen: list[str] = []
    with tempfile.TemporaryDirectory() as folder, served(folder) as port:
        known = {PORT: port}
        constants = {folder: "/srv/hello", port: PORT}
        for line in SCRIPT.splitlines():
            if line.startswith("#"):
                seen.append(f"\n{line}")
                continue
            command = re.sub("|".join(rf"\b{name}\b" for name in known), lambda found: known[found[0]], line)
            printed = typed(command, folder)
            for name, (pattern, constant) in READ.items():
                if found := re.search(pattern, printed):
                    known[name], constants[found[1]] = found[1], constant
            seen.append(f"$ {command}\n{printed.rstrip()}")
    text = "\n".join(seen).lstrip()
    for value, constant in constants.items():
        text = text.replace(value, constant)
    return f"{text}\n"


if __name__ == "__main__":
    print(record(), end="")

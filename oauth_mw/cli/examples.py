"""The examples at the end of each help, by the words of the command."""

from __future__ import annotations

EXAMPLES = {
    "": [
        'oauth-mw --store sqlite:///oauth.db client add "Nightly report job"',
        "oauth-mw client list --config app.ini",
        "oauth-mw client list --config hello:app",
        "oauth-mw check app.ini",
    ],
    "check": [
        "oauth-mw check app.ini",
        "oauth-mw check app.ini#oauth --set db=/srv/oauth.db --json",
        "oauth-mw check 'hello:create_app()'",
    ],
    "client": [
        'oauth-mw client add "Nightly report job" --scope reports:read',
        "oauth-mw client list",
        'oauth-mw client disable "Nightly report job"',
    ],
    "client add": [
        'oauth-mw client add "Nightly report job" --scope reports:read',
        "oauth-mw client add billing --resource-server",
        "oauth-mw client add old --id old-id --secret-file secret.txt",
    ],
    "client list": [
        "oauth-mw client list",
        "oauth-mw client list --unused-for 90d",
        "oauth-mw client list --store sqlite:///oauth.db --json",
    ],
    "client show": [
        'oauth-mw client show "Nightly report job"',
        "oauth-mw client show ie10afl68gmsb22d2z1a --json",
    ],
    "client update": [
        'oauth-mw client update "Nightly report job" --scope "a b" --lifetime 600',
        'oauth-mw client update "Nightly report job" --no-lifetime',
        'oauth-mw client update "Nightly report job" --not-after 2027-12-31',
    ],
    "client rotate": [
        'oauth-mw client rotate "Nightly report job" --overlap 7d',
        'oauth-mw client rotate "Nightly report job" --overlap 12h --label 2027',
    ],
    "client apply": [
        "oauth-mw client apply clients.toml --dry-run",
        "oauth-mw client apply clients.toml --prune",
        "oauth-mw client apply clients.toml --reopen ie10afl68gmsb22d2z1a",
    ],
    "client export": [
        "oauth-mw client export > clients.toml",
        "oauth-mw client export -o clients.toml",
    ],
    "client disable": ['oauth-mw client disable "Nightly report job"'],
    "client enable": ['oauth-mw client enable "Nightly report job"'],
    "client delete": [
        'oauth-mw client delete "Nightly report job"',
        "oauth-mw client delete ie10afl68gmsb22d2z1a --yes",
    ],
    "explain": [
        "oauth-mw explain GET /reports/2024 --config app.ini",
        'oauth-mw explain POST /reports --config app.ini --scope "reports:read"',
        "oauth-mw explain GET /reports --config hello:app --client ID",
        "oauth-mw explain GET /x --config hello:app --client ID --address 192.0.2.7",
    ],
    "import": ["oauth-mw import apigee apps.json products.json developers.json --dry-run"],
    "import apigee": [
        "oauth-mw import apigee apps.json products.json developers.json --dry-run",
        "oauth-mw import apigee *.json --base-path weather-v1=/v1 --environment prod",
        "oauth-mw import apigee *.json --base-path weather-v1=/v1 --prune",
    ],
    "key": [
        "oauth-mw key list",
        "oauth-mw --config app.ini key rotate",
        "oauth-mw key export > jwks.json",
    ],
    "doctor": [
        "oauth-mw doctor https://api.example.com --path /reports",
        "oauth-mw doctor https://api.example.com --path /reports --client ID",
    ],
    "key list": ["oauth-mw key list"],
    "key rotate": [
        "oauth-mw key rotate --config app.ini",
        "oauth-mw key rotate --algorithm EdDSA",
    ],
    "key import": [
        "oauth-mw key import key.pem",
        "oauth-mw key import key.pem --password-file password.txt",
    ],
    "key retire": ["oauth-mw key retire KEY"],
    "key export": [
        "oauth-mw key export > jwks.json",
        "oauth-mw key export KEY --private -o key.pem",
    ],
    "purge": [
        "oauth-mw purge",
        "oauth-mw purge --config app.ini",
    ],
    "report": [
        "oauth-mw report https://api.example.com/metrics --client monitor",
        "oauth-mw report http://127.0.0.1:8080 --interval 10 --json",
    ],
    "secret": [
        'oauth-mw secret add "Nightly report job" --label 2027',
        'oauth-mw secret list "Nightly report job"',
        'oauth-mw secret revoke "Nightly report job" 2026',
    ],
    "secret add": [
        'oauth-mw secret add "Nightly report job" --label 2027',
        'oauth-mw secret add "Nightly report job" --not-after 2027-12-31',
    ],
    "secret list": ['oauth-mw secret list "Nightly report job"'],
    "secret revoke": [
        'oauth-mw secret revoke "Nightly report job" 2026',
        'oauth-mw secret revoke "Nightly report job" 2026 --and-tokens --force',
    ],
    "serve": [
        "oauth-mw serve hello:app --store sqlite:///oauth.db",
        'oauth-mw serve hello:app --config app.ini --required-scopes "GET /a read"',
    ],
    "store": [
        "oauth-mw store info",
        "oauth-mw store copy sqlite:///oauth.db redis://localhost/0",
    ],
    "store copy": [
        "oauth-mw store copy sqlite:///oauth.db redis://localhost/0",
        "oauth-mw store copy sqlite:///oauth.db redis://oauth@db/0 --to-password",
    ],
    "store info": [
        "oauth-mw store info",
        "oauth-mw store info --store sqlite:///oauth.db --json",
    ],
    "store upgrade": ["oauth-mw store upgrade --store sqlite:///oauth.db"],
    "token": [
        "oauth-mw token inspect < token.txt",
        'oauth-mw token revoke-all "Nightly report job"',
    ],
    "token inspect": [
        "oauth-mw token inspect",
        "oauth-mw token inspect < token.txt",
    ],
    "token list": [
        'oauth-mw token list "Nightly report job"',
        'oauth-mw token list "Nightly report job" --limit 1000 --json',
    ],
    "token revoke": [
        "oauth-mw token revoke",
        "oauth-mw token revoke < token.txt",
    ],
    "top": [
        "oauth-mw top https://api.example.com/metrics --client monitor",
        "oauth-mw top http://127.0.0.1:8080 --token-file token.txt",
    ],
    "token revoke-all": [
        'oauth-mw token revoke-all "Nightly report job"',
        'oauth-mw token revoke-all "Nightly report job" --before 2026-11-30T09:00:00Z',
        'oauth-mw token revoke-all "Nightly report job" --before 2h',
    ],
}


def examples(command: str) -> str:
    """The examples of a command as the end of its help; ``\\b`` has click keep their lines."""
    lines = EXAMPLES.get(command, [])
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)]) if lines else ""

"""What each fault is, and its cure in each server."""

from __future__ import annotations

from typing import NamedTuple


class Cure(NamedTuple):
    """What to change in each server."""

    gunicorn: str
    uwsgi: str
    mod_wsgi: str
    nginx: str
    apache: str


NAMES = Cure("gunicorn", "uWSGI", "mod_wsgi", "nginx", "Apache")


class Fault(NamedTuple):
    says: str
    cure: Cure


FAULTS = {
    "plain http": Fault(
        "Tokens and secrets cross the network in the clear.",
        Cure(
            "--certfile and --keyfile, or bind to 127.0.0.1 behind a proxy with https",
            "https-socket with a certificate (pyuwsgi has none), or a socket on 127.0.0.1 behind a proxy with https",
            "SSLEngine on in the virtual host, and none with the app on port 80",
            "listen 443 ssl with ssl_certificate; on port 80 return 403, not a redirect: a client would not notice",
            "SSLEngine on with SSLCertificateFile; on port 80 Require all denied, not a redirect",
        ),
    ),
    "open": Fault(
        "The path needs no token: an option opens it, or what answers is not behind the middleware.",
        Cure(
            "name the wrapped object: gunicorn hello:app, where app or app.wsgi_app is the OAuthMiddleware",
            "module or wsgi-file with the callable that is the OAuthMiddleware",
            "application = OAuthMiddleware(...) in the script of WSGIScriptAlias",
            "no root, alias or try_files where the API is: such files are answered without the app",
            "no Alias or DocumentRoot with such files; ProxyPass or WSGIScriptAlias for the whole API",
        ),
    ),
    "bypassed": Fault(
        "Neither the path nor the token path is behind the middleware: another app, or an ASGI server that bypasses"
        " the WSGI app.",
        Cure(
            "name the WSGI app, wsgi:application, and no ASGI worker (--worker-class uvicorn.workers.UvicornWorker)",
            "serves no ASGI app: look at what answers in its place",
            "WSGIScriptAlias to wsgi.py, in which the OAuthMiddleware wraps the application",
            "proxy_pass or uwsgi_pass to the server of the WSGI app, not to daphne, hypercorn or uvicorn",
            "ProxyPass to the server of the WSGI app, not to daphne, hypercorn or uvicorn",
        ),
    ),
    "authorization": Fault(
        "Authorization is dropped on the way, or something before the app takes it: tokens do not reach the app.",
        Cure(
            "passes it; look at what stands before it",
            'passes it; remove route with basicauth, and uwsgi_param HTTP_AUTHORIZATION "" from the nginx before it',
            "WSGIPassAuthorization On; remove AuthType Basic",
            'remove proxy_set_header Authorization "" and auth_basic; or set authorization_header = X-Api-Token',
            "remove RequestHeader unset Authorization and AuthType Basic; CGIPassAuth On for CGI and FastCGI",
        ),
    ),
    "token path": Fault(
        "Token requests do not reach the token path.",
        Cure(
            "serve the OAuthMiddleware itself; behind a prefix set SCRIPT_NAME, or remove the prefix in the proxy",
            "mount = /prefix=hello:app with manage-script-name = true",
            "WSGIScriptAlias / /srv/app.wsgi, or /prefix without a slash at its end: it covers /oauth/token, too",
            "location / (not only paths of the app), no path after the port in proxy_pass, no proxy_intercept_errors",
            "ProxyPass / http://127.0.0.1:8080/ nocanon: /oauth/token is below it, and no Location denies POST",
        ),
    ),
    "redirected": Fault(
        "Requests are redirected: clients send their credentials first, and not to the new place.",
        Cure(
            "the redirect is of the app or of a proxy: give clients the URL that it leads to",
            "remove http-to-https, and route with redirect",
            "remove Redirect and RewriteRule [R] for these paths",
            "remove return 301 and rewrite for these paths; no location for them ends in a slash",
            "remove Redirect and RewriteRule [R]; no folder of DocumentRoot in the place of the app",
        ),
    ),
    "login": Fault(
        "Requests are sent to a login page: clients of an API have no browser.",
        Cure(
            "put the OAuthMiddleware outside of the login of the app (LoginRequiredMiddleware, login_required)",
            "the same as with gunicorn: the login of the app must be within the OAuthMiddleware",
            "no AuthType with a login (mod_auth_openidc, mod_auth_form) for the API: Require all granted there",
            "auth_request off, and no error_page 401 = @login, in the location of the API and of /oauth/",
            "AuthType None and Require all granted in the Location of the API and of /oauth/",
        ),
    ),
    "host": Fault(
        "The deployment takes itself for another host: issuer or public_url is wrong, or Host is rewritten.",
        Cure(
            "issuer is the public URL; forwarded_allow_ips lists the proxy, so that X-Forwarded-Proto counts",
            "issuer is the public URL; uwsgi_param HTTP_HOST $http_host, if the nginx before it sets another one",
            "issuer is the public URL; UseCanonicalName Off, or ServerName is the public name",
            "proxy_set_header Host $http_host ($host has no port); proxy_set_header X-Forwarded-Proto $scheme",
            "ProxyPreserveHost On; RequestHeader set X-Forwarded-Proto https",
        ),
    ),
    "metadata": Fault(
        "The metadata does not tell the truth: clients that configure themselves by it fail.",
        Cure(
            "public_url is the URL at which clients reach the app, with its mount",
            "the same; with mount, public_url ends in the mount",
            "the same; WSGIScriptAlias / covers /.well-known/, or one more alias for it",
            "location /.well-known/ goes to the app too (not only acme-challenge), and no prefix is removed",
            "ProxyPass /.well-known/ to the app; no Alias for it but that of acme-challenge",
        ),
    ),
    "clock": Fault(
        "The clocks differ: JWTs are refused as not yet valid or expired, and tokens live shorter or longer.",
        Cure(
            "timedatectl set-ntp true on its machine, and on each machine with workers; its Date is its own clock",
            "the same; it writes no Date, so the clock that was seen is that of the proxy",
            "the same; Date is the clock of Apache's machine, which is that of the app",
            "the same; nginx writes its own Date, so compare the machines of the app too",
            "the same; Apache passes the Date of the app behind ProxyPass",
        ),
    ),
    "cached": Fault(
        "Answers with or about tokens may be stored: a client may get the token of another one.",
        Cure(
            "stores nothing; no Cache-Control in the app may be set over the one of the token path",
            "no route with cache or cachestore for /oauth/ and the API",
            "no Header that changes Cache-Control; CacheDisable for the paths that need a token",
            "no proxy_cache, proxy_ignore_headers, proxy_hide_header Cache-Control or expires for /oauth/ and the API",
            "the same as with mod_wsgi",
        ),
    ),
    "chunked": Fault(
        "Chunked token requests are refused: a client that sends no Content-Length gets no token.",
        Cure(
            "accepts them; look at what stands before it",
            "has no way to pass them to the app: send a Content-Length, or put nginx before it",
            "WSGIChunkedRequest On",
            'proxy_request_buffering on; for uwsgi_pass uwsgi_param HTTP_TRANSFER_ENCODING "", or fastcgi_param so',
            "ProxyPass to http://, since uwsgi:// takes none; to fcgi:// with RequestHeader unset Transfer-Encoding",
        ),
    ),
    "store": Fault(
        "The store does not answer, or memory:// is served by several processes.",
        Cure(
            "store = sqlite:///file, or a database that all workers reach; oauth-mw check says what is wrong",
            "the same; memory:// works with one process only",
            "the same; memory:// works with processes=1 only, and the user of WSGIDaemonProcess must own the file",
            "nothing to change here",
            "nothing to change here",
        ),
    ),
    "not shared": Fault(
        "Workers do not share a store: what one has issued or registered, another does not know.",
        Cure(
            "the same absolute store for all workers; on several machines or containers PostgreSQL or Redis",
            "the same; with chdir or several vassals a relative sqlite:/// file is another one for each",
            "the same for each WSGIDaemonProcess; a relative file is relative to home=",
            "every server of upstream needs the same store; ip_hash only hides the fault",
            "every BalancerMember needs the same store; stickysession only hides the fault",
        ),
    ),
}

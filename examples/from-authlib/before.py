"""The app before the move: Flask, SQLAlchemy, and Authlib as authorization server and resource protector.

AUTHLIB_INSECURE_TRANSPORT=1 flask --app before run
"""

from __future__ import annotations

import os

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector, current_token
from authlib.integrations.sqla_oauth2 import (
    OAuth2ClientMixin,
    OAuth2TokenMixin,
    create_bearer_token_validator,
    create_query_client_func,
    create_revocation_endpoint,
    create_save_token_func,
)
from authlib.oauth2.rfc6749 import grants
from flask import Flask
from sqlalchemy import Column, Integer, create_engine
from sqlalchemy.orm import declarative_base, scoped_session, sessionmaker

Base = declarative_base()


class Client(Base, OAuth2ClientMixin):
    __tablename__ = "oauth2_client"
    id = Column(Integer, primary_key=True)


class Token(Base, OAuth2TokenMixin):
    __tablename__ = "oauth2_token"
    id = Column(Integer, primary_key=True)
    user_id = Column(Integer)


engine = create_engine(os.environ.get("DATABASE_URL", "sqlite:///app.db"))
Base.metadata.create_all(engine)
session = scoped_session(sessionmaker(engine))


class ClientCredentialsGrant(grants.ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_basic", "client_secret_post"]


app = Flask(__name__)
server = AuthorizationServer(app, create_query_client_func(session, Client), create_save_token_func(session, Token))
server.register_grant(ClientCredentialsGrant)
server.register_endpoint(create_revocation_endpoint(session, Token))
require_oauth = ResourceProtector()
require_oauth.register_token_validator(create_bearer_token_validator(session, Token)())


@app.teardown_appcontext
def remove_session(error):
    session.remove()


@app.post("/oauth/token")
def issue_token():
    return server.create_token_response()


@app.post("/oauth/revoke")
def revoke_token():
    return server.create_endpoint_response("revocation")


@app.get("/health")
def health():
    return "ok"


@app.get("/reports")
@require_oauth("reports:read")
def read():
    return f"reports for {current_token.client_id}"


@app.post("/reports")
@require_oauth("reports:write")
def write():
    return f"report filed by {current_token.client_id}", 201

"""Clients whose ids and secrets hold what forms, URLs and shells take for something else."""

from __future__ import annotations

from pathlib import Path

from oauth_mw import admin, open_store

# By what is odd about them. An id that clients may send raw cannot hold a colon (RFC 7617 §2).
ODD_CLIENTS = {
    "plain": ("plain", "Kd8vQ3xW7nT2mR5bY9fJ"),
    "percent": ("a%41", "kq%2Fvx%41mz%zrt%25w9"),
    "plus": ("a+b", "kq+vxmz++rtw+97+hyn+"),
    "space": ("a b", "kq vx mz rtw  97 hyn"),
    "colon": ("a-b", "kq:vx::mzrtw:97:hyn:"),
    "ampersand": ("a&b=c", "kq&vx=mz&&rtw=97&hyn"),
    "slash": ("a/b", "kq/vx//mz/rtw/97/hyn"),
    "all": ("%+ &/=?#", "%+ :&/=?#;,@!$'\"\\<>%20~"),
}


def add_odd_clients(folder: Path) -> None:
    store = open_store(f"sqlite:///{folder / 'oauth.db'}", create=True)
    for client_id, secret in ODD_CLIENTS.values():
        admin.add_client(store, client_id, scope="read write", client_id=client_id, secret=secret)
    store.close()

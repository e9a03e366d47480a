"""Clients that come from Apigee: what its management API answers for developers, apps and API products, as clients.

No client may do more here than there. What cannot be expressed is named, and a client that needs it is disabled.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ...errors import Faults
from ..declared import DeclaredClient
from .clients import Clients, Found, check_secrets
from .paths import Grant, Served, check_served, grant_of, listed, nearest_rate, read_base_paths
from .shapes import APPROVED, Export, Quota, read_export

__all__ = ["Converted", "Found", "Grant", "Limited", "Served", "convert", "read_base_paths"]


class Limited(NamedTuple):
    """A quota of a product, or of one of its proxies, and the rate limit that is nearest; empty if there is none."""

    product: str
    proxy: str
    quota: Quota
    rate: str


class Converted(NamedTuple):
    """What was made of the files.

    :ivar found: each credential of an app.
    :ivar grants: what the API products give that a credential has.
    :ivar quotas: those of these products, which are not carried over.
    :ivar others: what else is not carried over, a sentence each.
    """

    found: Sequence[Found]
    grants: Sequence[Grant]
    quotas: Sequence[Limited]
    others: Sequence[str]

    @property
    def declared(self) -> list[DeclaredClient]:
        return [each.declared for each in self.found if each.declared]


def convert(
    files: Iterable[tuple[str, bytes]], served: Served, *, allow_weak_secret: bool = False, now: int
) -> Converted:
    """Make clients of files of JSON, each with its name.

    :param served: what of Apigee is served here.
    :param now: when the clients are made, in Unix seconds.
    :raises ConfigError: with all faults of the files, each with its place.
    """
    faults = Faults()
    export = read_export(files, faults)
    faults.raise_all()
    _check_complete(export, faults)
    names = {
        tie.product for app in export.apps for each in app.credentials for tie in each.ties if tie.status == APPROVED
    }
    products = [export.products[name] for name in sorted(names & export.products.keys())]
    check_served(products, served, faults)
    if not allow_weak_secret:
        check_secrets(export, faults)
    faults.raise_all()
    grants = [grant_of(each, served) for each in products]
    by_name = {each.product.name: each for each in grants}
    found = Clients(export, by_name, now).found()
    return Converted(found, grants, [*_quotas(grants)], _others(export, grants))


def _check_complete(export: Export, faults: Faults) -> None:
    """Add a fault for each kind of file that is not there."""
    if not export.apps:
        faults.add("FILE", "no app is in the files: expected the answer for apps?expand=true&includeCred=true")
    elif not any(app.credentials for app in export.apps):
        faults.add("FILE", "no app has credentials: ask for the apps with includeCred=true")
    if not export.developers and any(app.developer_id for app in export.apps):
        faults.add(
            "FILE",
            "no developer is in the files: expected the answer for developers?expand=true, since apps of inactive ones"
            " are not accepted",
        )
    if not export.products and any(each.ties for app in export.apps for each in app.credentials):
        faults.add("FILE", "no API product is in the files: expected the answer for apiproducts?expand=true")


def _quotas(grants: Iterable[Grant]) -> Iterator[Limited]:
    for grant in grants:
        product = grant.product
        each = [("", product.quota), *((source.proxy, source.quota) for source in product.sources or ())]
        yield from (Limited(product.name, proxy, quota, nearest_rate(quota)) for proxy, quota in each if quota.limit)


def _others(export: Export, grants: Iterable[Grant]) -> list[str]:
    found = [f"app {app.name or app.app_id!r} has no credentials" for app in export.apps if not app.credentials]
    for grant in grants:
        if names := grant.product.attributes:
            found.append(f"API product {grant.product.name!r} has attributes of its own: {listed(names)}")
    if of_keys := sorted({name for app in export.apps for each in app.credentials for name in each.attributes}):
        found.append(f"keys have attributes of their own: {listed(of_keys)}")
    if of_developers := sorted({name for each in export.developers.values() for name in each.attributes}):
        found.append(f"developers have attributes of their own: {listed(of_developers)}")
    return found

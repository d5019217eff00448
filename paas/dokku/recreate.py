"""Recreates apps of a Dokku host: config, domains, scale, certificate; the code comes by a push."""

from collections.abc import Iterator
from dataclasses import dataclass

from paas import gitset
from paas.certificates import read_certificate
from paas.dokku.found import FoundApp
from paas.errors import PaasError
from paas.model import App, app_name
from paas.platform import Platform


@dataclass(frozen=True)
class Outcome:
    """What became of one app. `notes` are what was not taken over, and why."""

    name: str
    config: int
    domains: tuple[str, ...]
    scale: dict[str, int]
    has_certificate: bool
    notes: tuple[str, ...]


def recreate(platform: Platform, found: FoundApp, name: str, owner: str | None) -> Outcome:
    """Create the app and give it what was found. Raises PaasError: then there is no such app.

    A domain that cannot be had here is left out and told of; all else must fit.
    """
    app = platform.store.apps.create(app_name(name), owner)
    try:
        return _fill(platform, app, found)
    except BaseException:
        platform.store.apps.destroy(app.id)
        raise


def _fill(platform: Platform, app: App, found: FoundApp) -> Outcome:
    store = platform.store
    store.config.change(app.id, found.config)
    store.formation.set(app.id, found.scale)
    if found.branch:
        gitset.set_property(platform, app, gitset.DEPLOY_BRANCH, found.branch)
    notes = [*_add_domains(platform, app, found), *_add_certificate(platform, app, found)]
    return Outcome(
        name=app.name,
        config=len(found.config),
        domains=store.domains.list(app.id),
        scale=dict(found.scale),
        has_certificate=store.certificates.get(app.id) is not None,
        notes=(*notes, *found.left),
    )


def _add_domains(platform: Platform, app: App, found: FoundApp) -> Iterator[str]:
    default = f"{app.name}.{platform.settings.domain}"
    for domain in found.domains:
        if domain == default:
            continue
        try:
            platform.store.domains.change(app.id, add=[domain])
        except PaasError as error:
            yield f"domain {domain}: {error.message}"


def _add_certificate(platform: Platform, app: App, found: FoundApp) -> Iterator[str]:
    if found.certificate is None:
        return
    try:
        platform.store.certificates.set(app.id, read_certificate(found.certificate))
    except PaasError as error:
        yield f"certificate: {error.message}"

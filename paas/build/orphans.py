"""Images that nobody wants: of apps that are gone, and of builds that were interrupted."""

import re
import time
from collections.abc import Collection

from docker import APIClient
from docker.errors import APIError

from paas.settings import Settings

NOT_FOUND, IN_USE = 404, 409  # of the Engine API
YOUNG = 3600  # seconds: a build that has just ended has not named its image yet


def remove_orphans(api: APIClient, settings: Settings, apps: Collection[int]) -> int:
    """Remove images named for apps that are not there, and old nameless ones of our builds.

    Return how many names and images went. One that a container uses stays. Raises docker's errors.
    """
    name = re.compile(rf"{settings.instance}/app-([0-9]+):(?:loaded-)?[0-9a-f]+", re.ASCII)
    labels = [f"paas.instance={settings.instance}", "paas.role=app"]
    unwanted = [
        tag
        for image in api.images()
        for tag in image["RepoTags"] or ()
        if (match := name.fullmatch(tag)) and int(match[1]) not in apps
    ]
    nameless = api.images(filters={"label": labels, "dangling": True})
    unwanted += [i["Id"] for i in nameless if time.time() - i["Created"] > YOUNG]
    return sum(_remove(api, each) for each in unwanted)


def _remove(api: APIClient, image: str) -> bool:
    try:
        api.remove_image(image)
    except APIError as error:
        if error.status_code not in {NOT_FOUND, IN_USE}:
            raise
        return False
    return True

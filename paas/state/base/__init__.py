"""The seam to the database: one small protocol per topic, all reached from the Store.

Reads return values of paas.model. Writes are one `BEGIN IMMEDIATE` transaction each. `app`
arguments are ids; a name becomes an id once, in dispatch or in the command, through `apps.get`.
"""

from paas.state.base.apps import (
    Apps,
    Certificates,
    Config,
    Domains,
    Formation,
    Properties,
    Security,
)
from paas.state.base.people import Audit, Grants, Keys, Tokens, Users
from paas.state.base.processes import Containers, CronJobs, Networks, Runs, Storage
from paas.state.base.releases import Deploys, Recovery, Releases
from paas.state.base.reports import Ear, Events, Journal, Notices
from paas.state.base.store import Adoption, Store

__all__ = [
    "Adoption",
    "Apps",
    "Audit",
    "Certificates",
    "Config",
    "Containers",
    "CronJobs",
    "Deploys",
    "Domains",
    "Ear",
    "Events",
    "Formation",
    "Grants",
    "Journal",
    "Keys",
    "Networks",
    "Notices",
    "Properties",
    "Recovery",
    "Releases",
    "Runs",
    "Security",
    "Storage",
    "Store",
    "Tokens",
    "Users",
]

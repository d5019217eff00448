"""The seam to whatever runs containers: the Scheduler, and the values that pass through it."""

from paas.schedulers.base.events import Change, Event, Watch
from paas.schedulers.base.observed import KILLED, Exit, Listener, LogLine, Observed, Usage
from paas.schedulers.base.process import ProcessSpec, Resources, process_name
from paas.schedulers.base.scheduler import Scheduler
from paas.schedulers.base.streams import Beside, Streams, Window

__all__ = [
    "KILLED",
    "Beside",
    "Change",
    "Event",
    "Exit",
    "Listener",
    "LogLine",
    "Observed",
    "ProcessSpec",
    "Resources",
    "Scheduler",
    "Streams",
    "Usage",
    "Watch",
    "Window",
    "process_name",
]

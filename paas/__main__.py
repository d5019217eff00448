"""`paas ...`: on a host all but the service's own verbs is handed to the daemon; elsewhere to ssh.

A machine is a host when an installation is configured there: its settings, or its socket.
"""

import sys

OWN = ("start", "stop", "status", "serve", "setup", "doctor", "upgrade")


def main() -> int:
    """Run what was typed; return the exit status."""
    verb, args = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if verb in OWN:
        from paas import service  # noqa: PLC0415 - a verb for the daemon must not wait for this

        return service.run(verb, args)
    if verb == "door":
        from paas.doors import forced_command  # noqa: PLC0415 - as above

        return forced_command.main(args)
    if verb == "completion":
        from paas.client import completion  # noqa: PLC0415 - as above

        return completion.main(args)
    from paas.root import is_host  # noqa: PLC0415 - as above

    if not is_host() or verb.partition("=")[0] in {"--host", "--remote", "-r"}:
        from paas.client import main as client  # noqa: PLC0415 - as above

        return client.main(sys.argv[1:])
    from paas.doors import local  # noqa: PLC0415 - as above

    return local.main(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
